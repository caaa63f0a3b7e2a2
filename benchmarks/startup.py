"""What it costs to import packhorse, and to dispatch a first job, from the start of a process.

Python keeps a module's bytecode once it has been imported, as pip does when it installs, unless it is
told not to; a process that must compile SQLAlchemy first would be measured for that and little else.
So the bytecode of these runs is kept, in a folder of their own, whatever the environment says.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Row

RUNS = 11
DISPATCH = """
from packhorse import Packhorse, job
app = Packhorse("sqlite:///jobs.db")
@job
def first(n: int) -> None: ...
first.dispatch(1)
"""


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        _time(DISPATCH, folder)  # compiles everything
        bare, imported, dispatched = [], [], []
        for _ in range(RUNS):  # in turn, so that a machine that drifts hits all
            bare.append(_time("pass", folder))
            imported.append(_time("import packhorse", folder))
            dispatched.append(_time(DISPATCH, folder))
    above = [one - start for one, start in zip(imported, bare, strict=True)]
    yield Row("bare Python", [1000 * one for one in bare], "ms", better="lower")
    yield Row("import packhorse, above", [1000 * one for one in above], "ms", 60, "lower")
    yield Row("import and first dispatch to SQLite", dispatched, "s", 0.45, "lower")


def _time(program: str, folder: str) -> float:
    for file in Path(folder).glob("jobs.db*"):
        file.unlink()
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], cwd=folder, env=environment, check=True)
    return time.perf_counter() - started
