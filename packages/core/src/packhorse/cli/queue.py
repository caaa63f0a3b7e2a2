"""`packhorse queue …`: looks into one queue, clears, pauses and resumes it."""

from datetime import datetime
from typing import TYPE_CHECKING, get_args
from uuid import UUID

import click
import msgspec

from packhorse.cli.choices import connection_option, sure, yes_option
from packhorse.cli.durations import duration
from packhorse.cli.output import counted, json_option, moment, note, print_json, stamp, table
from packhorse.cli.setup import Setup
from packhorse.driver.message import State

if TYPE_CHECKING:
    from packhorse.control import Control
    from packhorse.queue import Queue, QueuedJob


MOMENTS: dict[State, str] = {
    "waiting": "due since",
    "delayed": "due at",
    "leased": "lease ends",
    "parked": "due at",
    "dead": "failed",
}
"""What a message's moment is, by its state."""


@click.group()
def queue() -> None:
    """Look into one queue, clear, pause or resume it."""


@queue.command("show")
@click.argument("name")
@connection_option
@json_option
@click.pass_obj
def show(setup: Setup, name: str, connection: str | None, as_json: bool) -> None:
    """Show how many jobs a queue has, and whether it is paused."""
    from packhorse.cli import queues

    lines = queues.look(setup.app().queue(name, connection).connection, [name])
    queues.show(lines, as_json, with_connection=False)


@queue.command("jobs")
@click.argument("name")
@connection_option
@click.option(
    "--state",
    type=click.Choice(get_args(State)),
    default="waiting",
    show_default=True,
    help="Which jobs.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many."
)
@click.option("--after", type=click.UUID, help="The id that the page before ended with.")
@json_option
@click.pass_obj
def jobs(
    setup: Setup,
    name: str,
    connection: str | None,
    state: State,
    limit: int,
    after: UUID | None,
    as_json: bool,
) -> None:
    """List the jobs of a queue, the next one first."""
    found = setup.app().queue(name, connection).jobs(state, limit, after)
    if as_json:
        print_json([facts(one) for one in found])
        return
    if not found:
        note(f"no {state} jobs on {name!r}")
        return
    rows = [[str(one.id), one.job or "?", moment(one.moment), _text(one)] for one in found]
    table(["id", "job", MOMENTS[state], "arguments"], rows)
    if len(found) == limit:
        note(f"there may be more: --after {found[-1].id}")


@queue.command("clear")
@click.argument("name")
@connection_option
@yes_option
@click.pass_obj
def clear(setup: Setup, name: str, connection: str | None, yes: bool) -> int:
    """Remove all jobs of a queue but the failed ones."""
    chosen = setup.app().queue(name, connection)
    size = chosen.size()
    if size and not sure(f"Remove {counted(size, 'job')} from {name!r}?", yes):
        note("nothing was removed")
        return 1
    click.echo(f"removed {counted(chosen.clear(), 'job')} from {name!r}")
    return 0


all_option = click.option("--all", "every", is_flag=True, help="All queues of the connection.")


@queue.command("pause")
@click.argument("name", required=False)
@all_option
@connection_option
@click.option("--for", "for_", type=duration, help="For how long; else until it is resumed.")
@click.pass_obj
def pause(
    setup: Setup, name: str | None, every: bool, connection: str | None, for_: float | None
) -> None:
    """Hand out no jobs of a queue, or of all with --all; those that run go on."""
    from packhorse.cli.output import span

    what = _which(setup, name, every, connection)
    what.pause(for_)
    until = "until it is resumed" if for_ is None else f"for {span(for_)}"
    click.echo(f"paused {_named(setup, name, connection)} {until}")


@queue.command("resume")
@click.argument("name", required=False)
@all_option
@connection_option
@click.pass_obj
def resume(setup: Setup, name: str | None, every: bool, connection: str | None) -> None:
    """Hand out the jobs of a queue again; with --all of all that are not paused by themselves."""
    _which(setup, name, every, connection).resume()
    click.echo(f"resumed {_named(setup, name, connection)}")


def _which(
    setup: Setup, name: str | None, every: bool, connection: str | None
) -> "Queue | Control":
    if (name is None) != every:
        raise click.UsageError("name a queue, or say --all")
    if name is None:
        return setup.app().connection(connection).control
    return setup.app().queue(name, connection)


def _named(setup: Setup, name: str | None, connection: str | None) -> str:
    if name is not None:
        return repr(name)
    return f"all queues of connection {setup.app().connection(connection).name!r}"


def facts(one: "QueuedJob") -> dict[str, object]:
    """A job as JSON has it."""
    at: dict[str, datetime | None] = {
        name: stamp(seconds) if seconds else None
        for name, seconds in (("at", one.at), ("moment", one.moment))
    }
    return msgspec.structs.asdict(one) | at | {"arguments": json_or_text(one.arguments)}


def json_or_text(arguments: str | None) -> object:
    """Arguments as JSON, or as the text that another serializer made of them."""
    if arguments is None:
        return None
    try:
        return msgspec.json.decode(arguments)
    except msgspec.DecodeError:
        return arguments


def arguments_text(one: "QueuedJob") -> str:
    """The arguments for a person to read; "?" where they cannot be opened."""
    return "sealed" if one.sealed else "?" if one.arguments is None else one.arguments


def _text(one: "QueuedJob") -> str:
    return arguments_text(one) + ("  (cancelled)" if one.cancelled else "")
