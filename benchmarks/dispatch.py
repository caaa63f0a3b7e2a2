"""How fast jobs are dispatched to SQLite, beside a raw sqlite3 insert-and-commit in the same mode."""

import sqlite3
import tempfile
from collections.abc import Iterator

from benchmarks.jobs import noop
from benchmarks.measure import Row, rate
from packhorse import Packhorse

SINGLE = 3_000
MANY = 50_000
RUNS = 5


def rows() -> Iterator[Row]:
    for mode in ("full", "normal"):
        yield from _mode(mode)


def _mode(mode: str) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        raw = sqlite3.connect(f"{folder}/raw.db", isolation_level=None)
        raw.executescript(
            f"""PRAGMA journal_mode=WAL; PRAGMA synchronous={mode};
            CREATE TABLE q (id INTEGER PRIMARY KEY, state INT NOT NULL DEFAULT 0, d BLOB NOT NULL);
            CREATE INDEX q_ready ON q (id) WHERE state = 0;"""
        )
        with Packhorse(f"sqlite:///{folder}/jobs.db?synchronous={mode}") as app:
            queue = app.queue()
            queue.push(noop.bind(0))
            body = app.queue().jobs()[0].arguments or ""
            payload = body.encode().ljust(200, b" ")

            def insert() -> None:
                for _ in range(SINGLE):
                    raw.execute("INSERT INTO q (d) VALUES (?)", [payload])

            def dispatch() -> None:
                for n in range(SINGLE):
                    noop.dispatch(n)

            def many() -> None:
                for start in range(0, MANY, 1000):
                    queue.push_many(noop.bind(n) for n in range(start, start + 1000))

            insert()  # warm up
            dispatch()
            raws, singles = [], []
            for _ in range(RUNS):  # in turn, so that a machine that drifts hits both
                raws.append(rate(SINGLE, insert))
                singles.append(rate(SINGLE, dispatch))
            shares = [single / one for single, one in zip(singles, raws, strict=True)]
            note = f"synchronous={mode.upper()}"
            yield Row("raw sqlite3, insert and commit", raws, "inserts/s", note=note)
            yield Row("SQLite, dispatch one by one", singles, "jobs/s", note=note)
            yield Row("SQLite, dispatch as a share of raw", shares, "", 0.6, note=note)
            bulk = [rate(MANY, many) for _ in range(RUNS)]
            yield Row("SQLite, push_many of 1,000", bulk, "jobs/s", 25_000, note=note)
        raw.close()
