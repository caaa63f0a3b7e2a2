"""`packhorse workers`: the workers that live, what they run and since when."""

import time
from typing import TYPE_CHECKING

import click
import msgspec

from packhorse.cli.choices import connections
from packhorse.cli.output import complain, json_option, note, print_json, span, stamp, table
from packhorse.cli.setup import Setup
from packhorse.errors import StoreRequired, Unsupported

if TYPE_CHECKING:
    from packhorse.connection import Connection
    from packhorse.control import LiveWorker


@click.command()
@click.option("--connection", metavar="NAME", help="Only this connection.")
@json_option
@click.pass_obj
def workers(setup: Setup, connection: str | None, as_json: bool) -> None:
    """Show the workers that live: what they serve, run and have done, and when they said so."""
    app = setup.app()
    found = []
    refused = None
    for on in connections(app, connection):
        try:
            found += [(on, one) for one in on.control.workers()]
        except (StoreRequired, Unsupported) as error:
            if connection or len(app.connections) == 1:
                raise
            refused = error
            complain(str(error))
    if as_json:
        print_json([_facts(on, one) for on, one in found])
    elif found:
        _table(found, with_connection=len(app.connections) > 1)
    elif refused is None:
        note("no worker has said anything in the last half minute")


def _facts(on: "Connection", one: "LiveWorker") -> dict[str, object]:
    running = [msgspec.structs.asdict(job) | {"since": stamp(job.since)} for job in one.running]
    moments = {"started": stamp(one.started), "beat": stamp(one.beat)}
    return {"connection": on.name} | msgspec.structs.asdict(one) | moments | {"running": running}


def _table(found: "list[tuple[Connection, LiveWorker]]", *, with_connection: bool) -> None:
    columns = ["worker", "pid", "state", "queues", "up", "jobs", "failed", "memory", "beat", "runs"]
    rows = [_cells(one) for _, one in found]
    if with_connection:
        columns = ["connection", *columns]
        rows = [[on.name, *cells] for (on, _), cells in zip(found, rows, strict=True)]
    table(columns, rows, right=["pid", "up", "jobs", "failed", "memory", "beat"])


def _cells(one: "LiveWorker") -> list[str]:
    now = time.time()
    runs = ", ".join(f"{job.job} {span(max(0.0, one.beat - job.since))}" for job in one.running[:3])
    more = f" and {one.busy - 3} more" if one.busy > 3 else ""
    return [
        one.name,
        str(one.pid),
        one.state,
        ",".join(one.queues),
        span(max(0.0, now - one.started)),
        f"{one.jobs:,}",
        f"{one.failed:,}",
        f"{one.memory / 1e6:.0f} MB",
        f"{span(max(0.0, now - one.beat))} ago",
        runs + more,
    ]
