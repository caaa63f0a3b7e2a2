"""Whatever is wrong with the settings, every command says it in one line and ends with 2."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from packhorse.cli.program import main
from tests.unit.cli.conftest import Call

pytestmark = pytest.mark.backend("sqlite")

ID = "01981f6e-0d3a-7cc2-a3f0-5d1f0e7c3a55"

COMMANDS = {
    "work": "",
    "dispatch": "some.job {}",
    "queues": "",
    "queue show": "q",
    "queue jobs": "q",
    "queue clear": "q --yes",
    "queue pause": "q",
    "queue resume": "q",
    "job show": ID,
    "job cancel": ID,
    "job why": ID,
    "batches list": "",
    "batches show": ID,
    "batches retry": ID,
    "batches cancel": ID,
    "batches prune": "",
    "failed list": "",
    "failed show": ID,
    "failed retry": "--all",
    "failed forget": ID,
    "failed flush": "--yes",
    "failed prune": "",
    "failed count": "",
    "migrate": "",
    "workers": "",
    "restart": "",
    "monitor": "--max 1",
}
"""Every command that asks a broker, and what it needs."""

BESIDES = {"doctor", "plugins", "completion", "demo"}
"""These ask none: the first reports what is wrong, the others do not look."""

WRONG = {
    "--url nonsense": "'nonsense' is no connection URL: it needs a scheme",
    "--url nats://user:hunter2@host": "the driver 'nats' is not installed",
    "--url sqlite:////nowhere/jobs.db": "there is no folder /nowhere: make it",
    "--url sqlite:////tmp": "it is a folder: name a file in it",
    "--url sqlite:///text.txt": "is no SQLite database: name another file",
    "--config key.toml": "there is no setting 'defalt'; did you mean 'default'?",
    "--config lease.toml": "sqlite:// has no option 'laese'; did you mean 'lease'?",
    "--config type.toml": "lease: expected `float`, got `str`",
    "--config missing.toml": "missing.toml cannot be read",
}

FILES = {
    "key.toml": 'defalt = "main"',
    "lease.toml": '[connections.main]\nurl = "sqlite:///jobs.db"\nlaese = 3',
    "type.toml": '[connections.main]\nurl = "sqlite:///jobs.db"\nlease = "long"',
    "text.txt": "Once upon a time there was a mule. " * 100,
}


def leaves(command: click.Command, *path: str) -> Iterator[str]:
    """The commands below one that are no groups."""
    if not isinstance(command, click.Group):
        yield " ".join(path)
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from leaves(below, *path, name)


def test_no_command_is_forgotten() -> None:
    assert {*leaves(main)} == {*COMMANDS, *BESIDES}


@pytest.mark.parametrize("settings", WRONG)
@pytest.mark.parametrize("command", COMMANDS)
def test_one_line_and_exit_code_2(call: Call, command: str, settings: str) -> None:
    for name, text in FILES.items():
        Path(name).write_text(text)
    said = call(*settings.split(), *command.split(), *COMMANDS[command].split())
    assert said.exit_code == 2
    (line,) = said.stderr.splitlines()
    assert line.startswith("packhorse: ")
    assert WRONG[settings] in line
    assert "hunter2" not in said.output
    assert not said.stdout
