"""What a worker on SQLite imports: nothing of databases that it does not use."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from packhorse import Packhorse

with Packhorse("sqlite:///jobs.db") as app:
    app.worker().run(stop_when_empty=True)
print(*sorted(name for name in sys.modules if name.startswith("sqlalchemy.dialects.")))
"""


@pytest.mark.backend("sqlite")
def test_a_worker_on_sqlite_imports_no_other_dialect(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    dialects = {name.split(".")[2] for name in done.stdout.split()} - {"_typing"}
    assert dialects == {"sqlite"}
