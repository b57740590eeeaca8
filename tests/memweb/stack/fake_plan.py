"""A supervisor on harmless programs, run as a program of its own: `fake_plan.py [--quiet] HOME PORT PROGRAM=CODE...`"""

import sys
from pathlib import Path

from memweb.stack.paths import StackPaths
from memweb.stack.plan import Plan, Program
from memweb.stack.supervisor import Supervisor

quiet = "--quiet" in sys.argv
home, port, *programs = [argument for argument in sys.argv[1:] if argument != "--quiet"]
python = sys.executable
ADDRESS = "http://127.0.0.1/login?token=abc"
web = [python, "-m", "http.server", "--bind", "127.0.0.1", port, "--directory", home]
plan = Plan(
    paths=StackPaths(Path(home)),
    services=[],
    set_up=[Program("Preparing", [python, "-c", "print('prepared')"])],
    programs=[
        Program("web", web),
        *(Program(name, [python, "-u", "-c", code]) for name, code in (program.split("=", 1) for program in programs)),
    ],
    environment={"PYTHONUNBUFFERED": "1"},
    login=Program("login address", [python, "-c", f"print('{ADDRESS}')"]),
    entrance=Program("login address", [python, "-c", f"print('memweb-secret'); print('{ADDRESS}')"]),
    url=f"http://127.0.0.1:{port}",
    port=int(port),
)
sys.exit(Supervisor(plan, quiet=quiet).run())
