"""`packhorse monitor`: measures queues against limits, once or again and again."""

import time
from collections.abc import Sequence

import click
import msgspec

from packhorse.cli.choices import connection_option
from packhorse.cli.durations import duration
from packhorse.cli.output import complain, json_option, print_json, span, stamp, table
from packhorse.cli.setup import Setup
from packhorse.errors import ConnectionLost
from packhorse.monitor import Limits, Measured, measure


@click.command()
@connection_option
@click.option("--queues", metavar="A,B", help="Only these; else all that hold anything.")
@click.option("--max", "most", type=click.IntRange(min=0), help="How many jobs may wait.")
@click.option("--oldest", type=duration, help="For how long the oldest may have been due.")
@click.option("--every", type=duration, help="Again and again, with such a pause.")
@click.option(
    "--import", "modules", multiple=True, metavar="MODULE", help="A module with listeners."
)
@json_option
@click.pass_obj
def monitor(
    setup: Setup,
    connection: str | None,
    queues: str | None,
    most: int | None,
    oldest: float | None,
    every: float | None,
    modules: tuple[str, ...],
    as_json: bool,
) -> int:
    """Measure queues against limits; exit code 1 if one is over.

    What is over is told to the listeners of the app too: QueueBusy and LongWait. With --every it goes
    on until it is stopped, and prints only what is over.
    """
    if most is None and oldest is None:
        raise click.UsageError("say --max or --oldest, or both")
    if every == 0:
        raise click.UsageError("--every 0 would never rest; say a second or more")
    app = setup.app_with_jobs(modules)
    on, limits = app.connection(connection), Limits(most, oldest)
    names = [name.strip() for name in (queues or "").split(",") if name.strip()] or None
    if every is None:
        found = measure(app, on, names, limits)
        if as_json:
            print_json([_facts(one) for one in found])
        else:
            _table(found)
        return 1 if any(one.over for one in found) else 0
    while True:
        try:
            _report([one for one in measure(app, on, names, limits) if one.over], as_json)
        except ConnectionLost as error:
            complain(str(error))
        time.sleep(every)


def _facts(one: Measured) -> dict[str, object]:
    return msgspec.structs.asdict(one)


def _report(over: Sequence[Measured], as_json: bool) -> None:
    for one in over:
        if as_json:
            facts = {"at": stamp(time.time()), **_facts(one)}
            click.echo(msgspec.json.encode(facts).decode())
        else:
            click.echo(f"{time.strftime('%H:%M:%S')}  {one.queue}: {_text(one)}")


def _table(found: Sequence[Measured]) -> None:
    rows = [[one.queue, f"{one.waiting:,}", span(one.oldest), _over(one)] for one in found]
    table(["queue", "waiting", "oldest", "over"], rows, right=["waiting", "oldest"])


def _over(one: Measured) -> str:
    return ", ".join(word for word, so in (("busy", one.busy), ("late", one.late)) if so)


def _text(one: Measured) -> str:
    waiting = f"{one.waiting:,} waiting" if one.busy else ""
    late = f"the oldest for {span(one.oldest)}" if one.late else ""
    return ", ".join(part for part in (waiting, late) if part)
