"""Medians, percentiles, merging of pieces, and the table."""

from pathlib import Path

import pytest

from benchmarks.peers import results, table
from benchmarks.peers.contender import Workload
from benchmarks.peers.results import Results, Row


def row(
    contender: str = "packhorse",
    workload: Workload = "drain",
    setting: str = "8 threads",
    *rates: float,
    waiting: int = 0,
    error: str = "",
) -> Row:
    runs = [{"rate": rate} for rate in rates]
    return Row("redis", workload, contender, setting, 500, runs, "2026-01-01", waiting, error=error)


def file(*rows: Row, **machine: str) -> Results:
    names = {row.contender for row in rows}
    return Results(machine, {name: {name: "1.0"} for name in names}, {}, list(rows))


def test_a_value_is_the_median_of_the_runs_that_could_tell_it() -> None:
    measured = row("rq", "kill", "", 3, 1, 2)
    measured.runs.append({"first": 7})
    assert (measured.value("rate"), measured.value("first")) == (2, 7)
    assert measured.value("last") is None


@pytest.mark.parametrize(
    ("share", "value"), [(0.5, 50), (0.95, 95), (0.99, 99), (1, 100), (0, 1), (0.001, 1)]
)
def test_a_percentile_is_one_of_the_values(share: float, value: int) -> None:
    assert results.percentile(list(range(100, 0, -1)), share) == value


def test_a_percentile_of_few_values() -> None:
    assert results.percentile([4.0], 0.99) == 4.0
    assert results.percentile([2.0, 1.0, 3.0], 0.5) == 2.0


def test_merging_replaces_what_was_measured_anew_and_keeps_the_rest() -> None:
    old = file(row("rq", "drain", "a", 1), row("rq", "drain", "b", 2), cores="2", date="yesterday")
    new = file(row("rq", "drain", "b", 3), row("saq", "drain", "b", 4), date="today")
    both = results.merged(old, new)
    assert [(one.contender, one.setting, one.value("rate")) for one in both.rows] == [
        ("rq", "a", 1),
        ("rq", "b", 3),
        ("saq", "b", 4),
    ]
    assert both.machine == {"cores": "2", "date": "today"}
    assert both.versions.keys() == {"rq", "saq"}


def test_merging_keeps_apart_backlogs_of_different_lengths() -> None:
    short, long = (row("rq", "backlog", "a", 1, waiting=waiting) for waiting in (1_000, 10_000))
    assert results.merged(file(short), file(long)).rows == [short, long]


def test_a_file_reads_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "results" / "some.json"
    assert results.load(path) == results.EMPTY
    results.save(path, file(row("rq", "drain", "a", 1, 2)))
    assert results.load(path) == file(row("rq", "drain", "a", 1, 2))


def test_the_table_has_the_median_and_the_spread_packhorse_first() -> None:
    text = table.markdown(
        file(row("arq", "drain", "100 jobs", 12), row("packhorse", "drain", "x", 1, 9, 2))
    )
    lines = text.splitlines()
    (ours,) = (number for number, line in enumerate(lines) if line.startswith("| packhorse x |"))
    assert "| 500 | 2 (1 to 9) |" in lines[ours]
    assert lines[ours + 1].startswith("| arq 100 jobs | 500 | 12 |")


def test_the_table_says_what_failed_in_a_row_as_wide_as_the_others() -> None:
    text = table.markdown(
        file(row("rq", "drain", "a", 1), row("saq", "drain", "b", error="no | server"))
    )
    rows = [line for line in text.splitlines() if line.startswith(("| rq a", "| saq b"))]
    assert "failed: no / server" in rows[1]
    assert rows[0].count("|") == rows[1].count("|")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0, "0"), (3.0, "3"), (0.01234, "0.0123"), (99.96, "100"), (12345.6, "12,346")],
)
def test_numbers_have_three_digits_or_all_before_the_point(value: float | None, text: str) -> None:
    assert table.number(value) == text
