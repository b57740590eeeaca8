"""A supervisor on harmless programs, run as a program of its own: `fake_plan.py HOME PORT PROGRAM=CODE...`"""

import sys
from pathlib import Path

from memweb.stack.paths import StackPaths
from memweb.stack.plan import Plan, Program
from memweb.stack.supervisor import Supervisor

home, port, *programs = sys.argv[1:]
python = sys.executable
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
    login=Program("login address", [python, "-c", "print('http://127.0.0.1/login?token=abc')"]),
    port=int(port),
)
sys.exit(Supervisor(plan).run())
