"""How the demo shows its progress and its results."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
import msgspec

from packhorse.cli.failed_views import arguments_text, why
from packhorse.cli.output import counted, number, one_line, span, table
from packhorse.demo.files import label

if TYPE_CHECKING:
    from packhorse.demo.stage import Progress, Stage
    from packhorse.failed import FailedJob

Show = Callable[["Progress"], None]
TOP = 5


@contextmanager
def bar(total: int) -> Iterator[Show]:
    """A progress bar, for a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("indexing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[yellow]{task.fields[retrying]} retrying[/]"),
        TextColumn("[red]{task.fields[failed]} failed[/]"),
    )
    with Bar(*columns) as drawn:
        task = drawn.add_task("", total=total, retrying=0, failed=0)

        def show(now: "Progress") -> None:
            done = now.done + now.failed
            drawn.update(task, completed=done, retrying=now.retrying, failed=now.failed)

        yield show


@contextmanager
def lines(total: int) -> Iterator[Show]:
    """A line every two seconds, for a file or pipe."""
    last = time.monotonic()

    def show(now: "Progress") -> None:
        nonlocal last
        if now.left and time.monotonic() - last < 2:
            return
        last = time.monotonic()
        retrying = f", {now.retrying} retrying" if now.retrying else ""
        click.echo(f"indexed {now.done:,} of {total:,} files{retrying}, {now.failed} failed")

    yield show


def summary(stage: "Stage", seconds: float) -> None:
    """The results, the failed jobs, and how fast it was."""
    from packhorse.demo import results

    found = results.summary(stage.results, TOP)
    click.echo("\nthe largest packages")
    table(
        ["package", "files", "lines", "functions", "classes"],
        [
            [one.name, *(number(n) for n in (one.files, one.lines, one.functions, one.classes))]
            for one in found.packages
        ],
        right=["files", "lines", "functions", "classes"],
    )
    click.echo("\nthe longest functions")
    table(
        ["function", "lines", "file"],
        [[row.longest, number(row.longest_lines), label(row.path)] for row in found.longest],
        right=["lines"],
    )
    failed = stage.app.failed.list()
    click.echo(f"\n{counted(len(failed), 'failed job')}, each after three attempts")
    table(["file", "reason"], [[_file(one), one_line(why(one))] for one in failed])
    click.echo(
        f"\n{number(found.files)} files with {number(found.lines)} lines, "
        f"{number(found.functions)} functions and {number(found.classes)} classes in "
        f"{span(seconds)}: {(found.files + len(failed)) / seconds:,.0f} jobs/s with the time that "
        "parsing takes and the waits before retries"
    )
    click.echo(f"the worker's last words: {stage.last_words()}")


def _file(one: "FailedJob") -> str:
    try:
        path = msgspec.json.decode(arguments_text(one, {}), type=dict[str, str]).get("path", "?")
    except msgspec.DecodeError:
        return "?"
    return label(path)
