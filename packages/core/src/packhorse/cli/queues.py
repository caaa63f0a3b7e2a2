"""`packhorse queues`: all queues of all connections, in one table."""

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from packhorse.cli.choices import connections
from packhorse.cli.output import complain, json_option, number, print_json, shown, span, table
from packhorse.cli.setup import Setup
from packhorse.driver.abilities import Lists
from packhorse.driver.message import Counts
from packhorse.errors import ConfigError, ConnectionLost, PackhorseError, StoreRequired
from packhorse.graveyard import graveyard
from packhorse.pausing import Paused, paused

if TYPE_CHECKING:
    from packhorse.connection import Connection

CAP = 10_000
"""How far messages are counted; a table says "10,000+" beyond."""


class Line(Struct, frozen=True):
    """One queue. What its broker cannot tell is None.

    `oldest` is in seconds, `paused_for` too: None while `paused` means until it is resumed.
    `capped`: a count that is as large as the cap may be larger. `forwarded_to` is the queue that the
    name stands for, if another.
    """

    connection: str
    queue: str
    ready: int
    delayed: int
    reserved: int
    parked: int
    capped: bool
    failed: int | None
    oldest: float | None
    paused: bool | None
    paused_for: float | None
    forwarded_to: str | None


@click.command()
@click.option("--connection", metavar="NAME", help="Only this connection.")
@json_option
@click.pass_obj
def queues(setup: Setup, connection: str | None, as_json: bool) -> int:
    """Show all queues: what is ready, delayed, reserved and failed, and what is paused."""
    app = setup.app()
    lines: list[Line] = []
    code = 0
    for on in connections(app, connection):
        try:
            lines += look(on)
        except ConfigError:
            raise
        except PackhorseError as error:  # the others can be shown all the same
            named = f"connection {on.name!r}: "
            complain(named + str(error).removeprefix(named))
            code = 1
    show(lines, as_json, with_connection=len(app.connections) > 1)
    return code


def look(on: "Connection", names: list[str] | None = None) -> list[Line]:
    """The lines of these queues, or of all that hold anything or are paused, and the connection's own."""
    driver: object = on.driver
    lists = driver if isinstance(driver, Lists) else None
    failed, off = _failed(on), _off(on)
    if names is None:
        known = lists.queues() if lists else []
        names = sorted({*known, on.settings.queue, *(off.queues if off else ())})
    return [_line(on, name, on.driver.counts(name, CAP), lists, failed, off) for name in names]


def _line(
    on: "Connection",
    name: str,
    counts: Counts,
    lists: Lists | None,
    failed: "Counter[str] | None",
    off: Paused | None,
) -> Line:
    return Line(
        connection=on.name,
        queue=name,
        ready=counts.ready,
        delayed=counts.delayed,
        reserved=counts.reserved,
        parked=counts.parked,
        capped=counts.capped,
        failed=None if failed is None else failed[name],
        oldest=lists.oldest(name) if lists else None,
        paused=None if off is None else name in off,
        paused_for=off.left(name) if off is not None and name in off else None,
        forwarded_to=None if (end := on.forwarded(name)) == name else end,
    )


def _off(on: "Connection") -> Paused | None:
    try:
        return paused(on)
    except ConnectionLost as error:  # of a store of its own, perhaps, while the broker is there
        complain(f"what is paused cannot be told: {error}")
        return None


def _failed(on: "Connection") -> "Counter[str] | None":
    """How many failed jobs each queue has, as far as the newest `CAP` of all tell."""
    try:
        dead = graveyard(on).every(None)
    except StoreRequired:  # nowhere to keep any
        return None
    return Counter(listed.message.queue for listed in islice(dead, CAP))


def show(lines: list[Line], as_json: bool, *, with_connection: bool) -> None:
    """Prints the lines, as a table or as JSON."""
    if as_json:
        print_json(lines)
        return
    groups = any(line.parked for line in lines)
    numbers = ["ready", "delayed", "reserved", *(["parked"] if groups else []), "failed", "oldest"]
    columns = ["queue", *numbers, "paused"]
    rows = [_cells(line, groups) for line in lines]
    if with_connection:
        columns = ["connection", *columns]
        rows = [[line.connection, *cells] for line, cells in zip(lines, rows, strict=True)]
    table(columns, rows, right=numbers)


def _cells(line: Line, groups: bool) -> list[str]:
    counts = Counts(line.ready, line.delayed, line.reserved, line.capped, line.parked)
    paused = {None: "?", False: "", True: "yes"}[line.paused]
    if line.paused and line.paused_for is not None:
        paused = f"for {span(line.paused_for)} more"
    failed = "?" if line.failed is None else number(line.failed)
    name = line.queue if line.forwarded_to is None else f"{line.queue} → {line.forwarded_to}"
    return [name, *shown(counts, CAP)[: 4 if groups else 3], failed, span(line.oldest), paused]
