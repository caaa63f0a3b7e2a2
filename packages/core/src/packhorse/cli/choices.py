"""Options that several commands share: the connection, and whether to ask first."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packhorse.app import Packhorse
    from packhorse.connection import Connection

connection_option = click.option(
    "--connection", metavar="NAME", help="The connection; else the default one."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def sure(question: str, yes: bool) -> bool:
    """Whether `--yes` or the answer says to go on."""
    return yes or click.confirm(question, err=True)


def connections(app: "Packhorse", name: str | None) -> "Sequence[Connection]":
    """The connection of that name, or all of them."""
    return [app.connection(each) for each in ([name] if name else app.connections)]
