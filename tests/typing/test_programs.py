"""mypy and pyright agree with what the programs in this folder say of themselves.

They say it with `assert_type`, and with `# type: ignore[…]` on each line that must be an error: both
checkers report one that is not needed.
"""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
PROGRAMS = sorted(set(FOLDER.glob("*.py")) - {FOLDER / "__init__.py", Path(__file__)})

CHECKERS = {
    "mypy": ["mypy", "--strict", *map(str, PROGRAMS)],
    "pyright": ["pyright", "--project", str(FOLDER), "--pythonpath", sys.executable],
}


@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_the_programs_are_typed_as_they_say(checker: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *CHECKERS[checker]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_program_expects_errors() -> None:
    """A checker that knows nothing of packhorse finds none, and so reports each of these lines."""
    assert {path.stem for path in PROGRAMS} == {"apps", "classes", "functions", "listeners"}
    for path in PROGRAMS:
        assert path.read_text().count("# type: ignore[") >= 3
