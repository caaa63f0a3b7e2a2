"""The results as Markdown."""

from collections.abc import Iterator

from benchmarks.peers import results
from benchmarks.peers.contender import Workload
from benchmarks.peers.plan import WORKLOADS
from benchmarks.peers.results import Results, Row

SENT = {"rate": "jobs/s", "cpu": "CPU s per 1,000", "server_cpu": "the server's"}
COLUMNS: dict[Workload, dict[str, str]] = {
    "dispatch": SENT,
    "bulk": SENT,
    "drain": {
        **SENT,
        "memory": "memory MB",
        "start": "first job after s",
        "stored": "server bytes a job",
        "twice": "ran twice",
    },
    "latency": {
        "p50": "p50 ms",
        "p95": "p95 ms",
        "p99": "p99 ms",
        "most": "most ms",
        "missing": "missing",
        "cpu": "CPU s per 1,000",
        "idle_cpu": "idle CPU %",
        "idle_server_cpu": "the server's %",
        "idle_requests": "idle requests/min",
        "idle_memory": "memory MB",
    },
    "io": {**SENT, "memory": "memory MB", "twice": "ran twice"},
    "kill": {
        "underway": "underway at the kill",
        "again": "of these ran again",
        "first": "first after s",
        "last": "last after s",
        "lost": "lost",
        "twice": "done twice",
    },
    "backlog": {"waiting": "waiting", "rate": "jobs/s"},
}


def number(value: float | None) -> str:
    """Three digits, or all before the point; `-` for what could not be told."""
    if value is None:
        return "-"
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def markdown(found: Results) -> str:
    """A table for each workload, then versions and settings."""
    lines = ["# Packhorse beside its peers", ""]
    lines += [", ".join(f"{key} {value}" for key, value in found.machine.items()) + ".", ""]
    lines += [
        "A number is the median of its runs; most and least rate of them stand behind the rate."
    ]
    for workload, title in WORKLOADS.items():
        if rows := results.of(found.rows, workload):
            lines += ["", f"## {workload}: {title}", ""]
            lines += _raw(rows) if workload == "raw" else _table(workload, rows)
    return "\n".join([*lines, *_settings(found)]) + "\n"


def _table(workload: Workload, rows: list[Row]) -> Iterator[str]:
    columns = COLUMNS[workload]
    yield "| | jobs | " + " | ".join(columns.values()) + " |"
    yield "|---" * (len(columns) + 2) + "|"
    for row in rows:
        cells = [_cell(row, column) for column in columns]
        if row.error:
            cells = [f"failed: {_said(row)}"] + [""] * (len(columns) - 1)
        yield f"| {_title(row)} | {row.jobs:,} | " + " | ".join(cells) + " |"


def _cell(row: Row, column: str) -> str:
    text = number(row.value(column))
    rates = [run[column] for run in row.runs if column in run]
    if column == "rate" and len(rates) > 1:
        return f"{text} ({number(min(rates))} to {number(max(rates))})"
    return text


def _raw(rows: list[Row]) -> Iterator[str]:
    yield "| | jobs/s |"
    yield "|---|---|"
    for row in rows:
        if row.error:
            yield f"| {row.contender} | failed: {_said(row)} |"
        for way in row.runs[0] if row.runs else ():
            yield f"| {row.contender}: {way} | {number(row.value(way))} |"


def _settings(found: Results) -> Iterator[str]:
    yield from ("", "## Versions and settings", "", "| | versions | against losing jobs |")
    yield "|---|---|---|"
    for name, versions in found.versions.items():
        told = ", ".join(f"{package} {version}" for package, version in versions.items())
        yield f"| {name} | {told} | {found.safety.get(name, '')} |"
    yield from ("", "| worker | command |", "|---|---|")
    commands = {(_title(row), row.command) for row in found.rows if row.command}
    for title, command in sorted(commands):
        yield f"| {title} | `{command}` |"


def _title(row: Row) -> str:
    note = f" ({row.note})" if row.note else ""
    return f"{row.contender} {row.setting}".strip() + note


def _said(row: Row) -> str:
    """The end of what went wrong, where the cause stands."""
    return row.error.replace("|", "/")[-150:]
