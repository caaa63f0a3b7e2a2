"""How answers are printed: tables and notes for a person, JSON for a program."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Literal

import click
import msgspec

if TYPE_CHECKING:
    from packhorse.driver.message import Counts

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


FOLDED = 24
"""A column's least width where it is folded."""


def complain(text: str) -> None:
    """One line on stderr about something that went wrong."""
    click.echo(f"packhorse: {one_line(text)}", err=True)


def one_line(text: str) -> str:
    """The same words without line breaks."""
    return " ".join(text.split())


def note(text: str) -> None:
    """A remark on stderr, so that stdout stays what was asked for."""
    click.echo(text, err=True)


def print_json(answer: object) -> None:
    """A document for a program."""
    text = msgspec.json.format(msgspec.json.encode(answer, enc_hook=str), indent=2)
    click.echo(text)


def for_a_person() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout.isatty()


def in_colour() -> bool:
    """Whether stdout takes colours and nobody said NO_COLOR."""
    return for_a_person() and not os.environ.get("NO_COLOR")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> None:
    """A table, its cells aligned and never cut; `right` names the columns of numbers.

    On a terminal the last column is folded where that leaves it room enough.
    """
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    if for_a_person() and _foldable(widths):
        _folded(columns, rows, right)
        return
    for row in (columns, *rows):
        cells = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(row, widths, columns, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def _foldable(widths: Sequence[int]) -> bool:
    narrow = min(widths[-1], FOLDED)
    return sum(widths[:-1]) + 2 * len(widths) + narrow <= get_terminal_size().columns


def _folded(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns:
        justify: Literal["left", "right"] = "right" if name in right else "left"
        grid.add_column(name, justify=justify, no_wrap=name != columns[-1], overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    Console().print(grid)


def moment(at: float) -> str:
    """A wall-clock moment for a person, in local time."""
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S") if at else ""


def stamp(at: float) -> datetime:
    """A wall-clock moment for a program; in JSON it is ISO 8601, UTC."""
    return datetime.fromtimestamp(at, UTC)


def span(seconds: float | None) -> str:
    """A duration in the one or two units that matter: "80 µs", "850 ms", "4.2 s", "3m 20s", "2d 4h"."""
    if seconds is None:
        return ""
    if seconds < 60:
        size, unit = (1, "s") if seconds >= 1 else (1e-3, "ms") if seconds >= 1e-3 else (1e-6, "µs")
        few = seconds / size
        return f"{few:.1f}".removesuffix(".0") + f" {unit}" if few < 100 else f"{few:.0f} {unit}"
    whole = int(seconds)
    size, unit, below, smaller = next(each for each in _UNITS if whole >= each[0])
    rest = whole % size // below
    return f"{whole // size}{unit} {rest}{smaller}" if rest else f"{whole // size}{unit}"


_UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s"))


def number(count: int, cap: int | None = None) -> str:
    """A count with thousands apart; one at its cap says that there may be more."""
    return f"{count:,}+" if cap is not None and count >= cap else f"{count:,}"


def counted(count: int, one: str, many: str = "") -> str:
    """ "1 job", "12 jobs" """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def shown(counts: "Counts", cap: int) -> list[str]:
    """The four counts of a queue as cells of a table."""
    limit = cap if counts.capped else None
    states = (counts.ready, counts.delayed, counts.reserved, counts.parked)
    return [number(each, limit) for each in states]
