"""Runs the benchmarks: `hatch run bench`, or some of them: `hatch run bench drain startup`.

Prints a table and writes it, with every run behind a median, to benchmarks/results/latest.json.
`hatch run bench peers` is a command of its own: packhorse beside other job queues.
"""

import importlib
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.measure import Row, machine
from benchmarks.peers import command as peers

ALL = (
    "drain",
    "dispatch",
    "backlog",
    "latency",
    "startup",
    "processes",
    "flow",
    "workflows",
    "isolation",
    "beanstalkd",
)
RESULTS = Path(__file__).parent / "results" / "latest.json"


def main(names: list[str]) -> int:
    if names[:1] == ["peers"]:
        return peers.main(names[1:])
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(
            f"no benchmark is called {unknown[0]!r}; there are: {', '.join(ALL)}", file=sys.stderr
        )
        return 2
    console = Console()
    where = machine()
    console.print("  ".join(f"{key} {value}" for key, value in where.items()))
    table = Table("", "median", "least", "most", "target", "")
    done: list[Row] = []
    for name in names or ALL:
        for row in importlib.import_module(f"benchmarks.{name}").rows():
            done.append(row)
            console.print(f"[dim]{row.name}: {_number(row.value)} {row.unit}[/dim]")
            table.add_row(*_cells(row))
    console.print(table)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": where, "rows": done})))
    return 1 if any(row.reached is False for row in done) else 0


def _cells(row: Row) -> list[str]:
    sign = "≥" if row.better == "higher" else "≤"
    return [
        f"{row.name}{f' ({row.note})' if row.note else ''}",
        f"{_number(row.value)} {row.unit}",
        _number(min(row.runs)),
        _number(max(row.runs)),
        "" if row.target is None else f"{sign} {_number(row.target)}",
        {True: "yes", False: "NO", None: ""}[row.reached],
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
