"""`packhorse dispatch`: pushes one job by its name."""

import sys
from typing import TYPE_CHECKING

import click

from packhorse.cli.choices import connection_option
from packhorse.cli.durations import duration
from packhorse.cli.output import note
from packhorse.cli.setup import Setup

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.definition import Definition
    from packhorse.handle import JobHandle


@click.command()
@click.argument("name")
@click.argument("payload", metavar="[JSON]", default="{}")
@click.option(
    "--queue", metavar="NAME", help="The queue; else the job's, its route's or the connection's."
)
@connection_option
@click.option("--delay", type=duration, help="How long it is to wait first: 90, 30m, 2h.")
@click.option("--import", "modules", multiple=True, metavar="MODULE", help="A module with jobs.")
@click.pass_obj
def dispatch(
    setup: Setup,
    name: str,
    payload: str,
    queue: str | None,
    connection: str | None,
    delay: float | None,
    modules: tuple[str, ...],
) -> None:
    """Push a job by its NAME, with its arguments as a JSON object (`-`: read from stdin).

    Prints the job's id. The arguments of a job that the imported modules bring are checked; one
    that they do not know is pushed as it is, and a worker that knows it checks them.
    """
    from packhorse.registry import find

    app = setup.app_with_jobs(modules)
    data = sys.stdin.buffer.read() if payload == "-" else payload.encode()
    definition = find(name)
    if definition is None:
        route = app.routes.named(name)
        to = app.queue(queue or route.queue, connection or route.connection)
        handle = to.push_raw(name, data, delay=delay or 0.0)
        note(f"pushed unchecked onto {handle.connection}/{handle.queue}{_why_unchecked(name)}")
    else:
        handle = _push(app, definition, data, queue, connection, delay)
    click.echo(handle.id)


def _push(
    app: "Packhorse",
    definition: "Definition",
    data: bytes,
    queue: str | None,
    connection: str | None,
    delay: float | None,
) -> "JobHandle[object]":
    from packhorse.options import Options
    from packhorse.pending import Pending

    said: Options = {}
    if queue is not None:
        said["queue"] = queue
    if connection is not None:
        said["connection"] = connection
    if delay is not None:
        said["delay"] = delay
    return app.dispatch(Pending(definition, definition.decode(data)).using(**said))


def _why_unchecked(name: str) -> str:
    from packhorse.registry import names
    from packhorse.settings import nearest

    if names():
        return f": no imported module has a job called {name!r}; {nearest(name, names())}"
    return ": no module with jobs was imported (--import, or imports in the settings)"
