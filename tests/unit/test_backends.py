"""`--backends` runs the tests of the chosen backends and deselects the others."""

import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parent.parent / "conftest.py"
FILES = {
    "tests/test_any.py": """
        import pytest

        def test_none(): pass

        @pytest.mark.backend("memory")
        def test_of_memory(): pass

        @pytest.mark.backend("memory", "sqlite")
        def test_of_both(): pass

        @pytest.mark.parametrize("url", [pytest.param("x", marks=pytest.mark.backend("sqlite"))])
        def test_of_sqlite(url): pass
    """,
    "tests/conformance/test_sqlite.py": "def test_conforms(): pass",
    "pytest.ini": """[pytest]
        markers = backend(name): runs on this backend
        addopts = --strict-markers
        testpaths = tests
    """,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small project with this project's conftest and a test of each kind."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("\n        ", "\n"))
    (tmp_path / "tests/conftest.py").write_text(CONFTEST.read_text())
    return tmp_path


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-vp", "no:cacheprovider", "--import-mode=importlib"]
    return subprocess.run(
        [*command, *options], cwd=folder, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("options", "outcome", "absent"),
    [
        ([], "5 passed", "deselected"),
        (["--backends", "memory,sqlite"], "5 passed", "deselected"),
        (["--backends=memory"], "2 passed, 3 deselected", "sqlite"),
        (["--backends", " sqlite"], "3 passed, 2 deselected", "test_of_memory"),
    ],
)
def test_the_chosen_backends_run(
    folder: Path, options: list[str], outcome: str, absent: str
) -> None:
    result = run(folder, *options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert outcome in result.stdout
    assert absent not in result.stdout


def test_an_unknown_backend_is_a_usage_error(folder: Path) -> None:
    result = run(folder, "--backends", "memory,postgres")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "no backend 'postgres'; choose from memory, sqlite" in result.stderr
