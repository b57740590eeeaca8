"""A machine of several that share a memweb: a data folder of its own, with the documents of all, and programs started
by hand as docs/scaling.md says."""

from contextlib import ExitStack
from pathlib import Path

from agents.llm.scripted import ScriptedServer
from memweb.stack.plan import free_port
from tests.processes import Process, answers, until


class Machine:
    """What it starts ends with `stack`. `settings` of a start win over the machine's."""

    def __init__(self, folder: Path, documents: Path, model: ScriptedServer, stack: ExitStack) -> None:
        self.folder, self.port = folder, free_port()
        folder.mkdir()
        (folder / "media").symlink_to(documents)
        self.settings = {
            "MEMWEB_HOME": str(folder),
            "MEMWEB_PORT": str(self.port),
            "MEMWEB_CONTEXT_WINDOW": "8192",
            "OPENAI_BASE_URL": model.url,
        }
        self._stack = stack
        self._starts = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, name: str, **settings: str) -> Process:
        self._starts += 1
        log = self.folder / f"{name}-{self._starts}.log"
        return self._stack.enter_context(Process("memweb", "start", name, log=log, **self.settings, **settings))

    def web(self, **settings: str) -> Process:
        process = self.start("web", **settings)
        until(lambda: answers(f"{self.url}/healthz"), "the web process answers")
        return process

    def worker(self, kind: str, **settings: str) -> Process:
        process = self.start(f"worker-{kind}", **settings)
        process.line("ready.")
        return process
