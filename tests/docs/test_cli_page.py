"""`docs/cli.md` shows every command of the command line and every option of each."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from packhorse.cli.program import COMMANDS, main

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(main, info_name="packhorse")
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        yield f"packhorse {name}", command
        if isinstance(command, click.Group):
            yield from ((f"packhorse {name} {sub}", one) for sub, one in command.commands.items())


@pytest.mark.parametrize(
    ("path", "command"), list(commands()), ids=[path for path, _ in commands()]
)
def test_every_command_and_option_is_shown(path: str, command: click.Command) -> None:
    heading = f"# `{path}`\n"
    assert heading in PAGE
    section = PAGE.split(heading, 1)[1].split("\n#", 1)[0]
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    options = [name for one in shown if isinstance(one, click.Option) for name in one.opts]
    assert [name for name in options if name != "--help" and f"`{name}`" not in section] == []
