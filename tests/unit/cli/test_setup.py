"""Which app a command works with."""

import os
from pathlib import Path

import pytest

from packhorse import ConfigError, current
from packhorse.cli.setup import Setup
from tests.unit.cli.conftest import Call

CODE = "from packhorse import Packhorse\napp = Packhorse({})\n"


@pytest.fixture
def setup(call: Call, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """A setup in an empty folder, which is importable, as the program makes it."""
    monkeypatch.syspath_prepend(os.getcwd())
    return Setup()


def write(module: str, arguments: str) -> str:
    Path(f"{module}.py").write_text(CODE.format(arguments))
    return module


def test_the_app_that_a_module_makes_is_taken(setup: Setup) -> None:
    module = write("cli_own_app", "'memory://'")
    app = setup.app_with_jobs([module])
    assert app is current.default_app()
    assert app.settings.source == "the URL given"


def test_a_modules_app_reads_what_the_option_says(setup: Setup) -> None:
    setup.url = "null://"
    app = setup.app_with_jobs([write("cli_plain_app", "")])
    assert app is current.default_app()
    assert app.connection().url.scheme == "null"


def test_an_option_against_a_modules_own_url_is_refused(setup: Setup) -> None:
    setup.url = "null://"
    with pytest.raises(ConfigError, match="--url chooses other connections than the app"):
        setup.app_with_jobs([write("cli_other_app", "'memory://'")])


def test_without_an_app_in_the_modules_the_settings_make_it(setup: Setup) -> None:
    Path("cli_no_app.py").write_text("")
    Path("packhorse.toml").write_text(
        'imports = ["cli_no_app"]\n[connections.main]\nurl = "memory://"\n'
    )
    assert setup.app_with_jobs().settings.source == "packhorse.toml"


def test_imports_are_read_where_only_a_module_knows_the_connection(setup: Setup) -> None:
    module = write("cli_listed_app", "'memory://'")
    Path("packhorse.toml").write_text(f'imports = ["{module}"]\n')
    assert setup.app_with_jobs().connection().url.scheme == "memory"


def test_no_connection_at_all_is_an_error(setup: Setup) -> None:
    with pytest.raises(ConfigError, match="no connection is configured"):
        setup.app_with_jobs()
