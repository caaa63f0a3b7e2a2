"""One run of the demo: its folder, its queue in a SQLite file, and its worker process."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct

from packhorse.app import Packhorse
from packhorse.demo import results
from packhorse.demo.files import Source
from packhorse.demo.jobs import index_file
from packhorse.errors import PackhorseError

JOBS = "packhorse.demo.jobs"


class Progress(Struct, frozen=True):
    """How far the worker is; `retrying` are those that failed and wait for another attempt."""

    done: int
    failed: int
    retrying: int
    left: int


class Stage:
    """Everything that a run has; `app` is closed and the worker ended by `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = str(folder / "results.db")
        self.url = f"sqlite:///{quote(str(folder / 'jobs.db'))}"
        self.log = folder / "worker.log"
        self.app = Packhorse(self.url, plugins=[])
        self._worker: subprocess.Popen[bytes] | None = None
        results.create(self.results)

    def dispatch(self, sources: Sequence[Source]) -> None:
        """Pushes one job a file."""
        self.app.push_many(
            index_file.bind(source.path, source.package, self.results) for source in sources
        )

    def start_worker(self) -> None:
        """Starts `packhorse work` as a process of its own, its output in `log`."""
        command = [sys.executable, "-m", "packhorse", "--url", self.url]
        command += ["work", "--import", JOBS, "--concurrency", "4", "--name", "demo"]
        environ = {k: v for k, v in os.environ.items() if not k.startswith("PACKHORSE_")}
        environ["PYTHONWARNINGS"] = "ignore"  # those of the files that it parses
        with self.log.open("wb") as log:
            self._worker = subprocess.Popen(
                command, cwd=self.folder, env=environ, stdout=log, stderr=subprocess.STDOUT
            )

    def progress(self) -> Progress:
        """How far it is now; raises `PackhorseError` if the worker has died."""
        counts = self.app.queue().counts(cap=1_000_000)
        left = counts.ready + counts.delayed + counts.reserved
        if left and self._worker is not None and self._worker.poll() is not None:
            raise PackhorseError(
                f"the demo's worker ended with exit code {self._worker.returncode}: {self.last_words()}"
            )
        return Progress(results.count(self.results), self.app.failed.count(), counts.delayed, left)

    def stop_worker(self) -> None:
        """Ends the worker as an operator would, by SIGTERM, and waits for it."""
        if self._worker is None:
            return
        self._worker.terminate()
        try:
            self._worker.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._worker.kill()
            self._worker.wait()
        self._worker = None

    def last_words(self) -> str:
        """The last line that the worker printed."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return lines[-1] if lines else "it printed nothing"

    def close(self) -> None:
        """Ends the worker, if it still runs, and closes the app."""
        self.stop_worker()
        self.app.close()

    def command(self, arguments: str) -> str:
        """A command line of packhorse on this run's queue, to be pasted into a shell."""
        return f"{_program()} --url {shlex.quote(self.url)} {arguments}"


def _program() -> str:
    """How this user calls packhorse."""
    if "HATCH_ENV_ACTIVE" in os.environ:
        return "hatch run packhorse"
    found = shutil.which("packhorse")
    if found is not None and Path(found).parent == Path(sys.executable).parent:
        return "packhorse"
    return f"{shlex.quote(sys.executable)} -m packhorse"
