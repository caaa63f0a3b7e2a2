"""How batches look: as a table, as a story, as a bar, as JSON."""

import time
from typing import TYPE_CHECKING

import click

from packhorse.cli.output import moment, number, span, stamp, table

if TYPE_CHECKING:
    from packhorse.flow.batches import Batch

COLUMNS = ["id", "state", "age", "total", "pending", "failed", "dropped", "name"]


def as_table(found: "list[Batch]") -> None:
    """One line a batch."""
    now = time.time()
    rows = [
        [
            str(one.id),
            one.state,
            span(max(0.0, now - one.created_at)),
            *(number(count) for count in (one.total, one.pending, one.failed, one.dropped)),
            one.name,
        ]
        for one in found
    ]
    table(COLUMNS, rows, right=["total", "pending", "failed", "dropped"])


def story(one: "Batch") -> None:
    """Everything about one batch."""
    cancelled = ", cancelled" if one.cancelled and one.state != "cancelled" else ""
    lines = [
        ("batch", one.name),
        ("id", str(one.id)),
        ("state", one.state + cancelled),
        ("created", moment(one.created_at)),
        ("ended", moment(one.finished_at or 0.0)),
        ("members", number(one.total)),
        ("pending", number(one.pending)),
        ("done", number(one.done)),
        ("failed", number(one.failed)),
        ("dropped", number(one.dropped)),
    ]
    for name, text in lines:
        if text:
            click.echo(f"{name:<10} {text}")
    if one.failed:
        click.echo(f"\nto run what failed again: packhorse batches retry {one.id}")


def watched(one: "Batch", every: float) -> None:
    """A progress bar on stderr until the batch is over, looked at every so many seconds."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(one.name or str(one.id), total=one.total, failed=one.failed)
        while True:
            over = one.refresh().finished
            ended = one.total - one.pending
            bar.update(task, total=one.total, completed=ended, failed=one.failed)
            if over:
                return
            time.sleep(every)


def facts(one: "Batch") -> dict[str, object]:
    """A batch as JSON has it."""
    return {
        "id": one.id,
        "name": one.name,
        "state": one.state,
        "cancelled": one.cancelled,
        "created_at": stamp(one.created_at),
        "finished_at": None if one.finished_at is None else stamp(one.finished_at),
        "total": one.total,
        "pending": one.pending,
        "done": one.done,
        "failed": one.failed,
        "dropped": one.dropped,
        "progress": one.progress,
    }
