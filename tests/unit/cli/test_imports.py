"""A module that cannot be imported is named in one line, with the place in the user's own code."""

from pathlib import Path

import pytest

from packhorse.cli.imports import import_jobs
from packhorse.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def complaint(module: str) -> str:
    with pytest.raises(ConfigError) as raised:
        import_jobs([module])
    return str(raised.value)


def test_a_module_that_is_not_there(folder: Path) -> None:
    assert complaint("cli_nowhere.jobs").startswith("there is no module 'cli_nowhere.jobs'")


def test_a_file_instead_of_a_module(folder: Path) -> None:
    (folder / "cli_file.py").write_text("")
    assert complaint("cli_file.py").endswith("write cli_file, without .py")


def test_a_module_that_lacks_another(folder: Path) -> None:
    (folder / "cli_lacking.py").write_text("import cli_missing_thing\n")
    assert complaint("cli_lacking") == (
        "the module 'cli_lacking' cannot be imported: ModuleNotFoundError: "
        "No module named 'cli_missing_thing' (cli_lacking.py, line 1)"
    )


def test_a_module_that_raises(folder: Path) -> None:
    (folder / "cli_raising.py").write_text("def f():\n    1 / 0\n\nf()\n")
    assert complaint("cli_raising") == (
        "the module 'cli_raising' cannot be imported: ZeroDivisionError: division by zero "
        "(cli_raising.py, line 2)"
    )


def test_a_module_that_leaves(folder: Path) -> None:
    (folder / "cli_leaving.py").write_text("raise SystemExit(3)\n")
    assert "SystemExit: 3 (cli_leaving.py, line 1)" in complaint("cli_leaving")


def test_a_module_that_is_no_python(folder: Path) -> None:
    (folder / "cli_syntax.py").write_text("x = = 1\n")
    assert "SyntaxError: invalid syntax (cli_syntax.py, line 1)" in complaint("cli_syntax")


def test_a_job_with_a_wrong_option_is_found_in_its_own_file(folder: Path) -> None:
    (folder / "cli_wrong.py").write_text(
        "from packhorse import job\n\n@job(triess=3)\ndef f() -> None: ...\n"
    )
    text = complaint("cli_wrong")
    assert "did you mean 'tries'?" in text
    assert text.endswith("(cli_wrong.py, line 3)")
