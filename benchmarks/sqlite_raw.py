"""The SQL driver on SQLite beside the bare sqlite3 module: same file system, same durability, same run.

    python benchmarks/sqlite_raw.py [--folder DIR] [--synchronous full|normal|off] [--backlog N]

The bare loop does the least that a queue could do: one table, one index, one row a message. Compare
ratios, not rates: both sides move with the machine and with what else it does.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from packhorse.ids import new_id
from packhorse.plugin import Done, DriverSetup, Message, Url
from packhorse_sql.driver import SqlDriver

BODY = b'{"v":1,"job":"shop.jobs.send_welcome","body":{"args":' + b"x" * 200 + b"}}"
TABLE = """CREATE TABLE q (seq INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB UNIQUE, queue TEXT,
    state INT, moment INT, body BLOB); CREATE INDEX line ON q (queue, state, moment, seq);"""
INSERT = "INSERT INTO q (id, queue, state, moment, body) VALUES (?, 'q', 0, ?, ?)"
CLAIM = """UPDATE q SET state = 1, moment = ? WHERE seq IN (SELECT seq FROM q WHERE queue = 'q' AND
    state = 0 ORDER BY moment, seq LIMIT ?) RETURNING seq, id, body"""
DELETE = "DELETE FROM q WHERE seq = ?"

ONE_BY_ONE, MANY, BATCH, LOOP, ROUNDS = 1_000, 20_000, 1_000, 500, 4


def rate(count: int, work: Callable[[], None]) -> float:
    """How many a second."""
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


class Bare:
    """sqlite3 alone."""

    def __init__(self, folder: Path, synchronous: str) -> None:
        self.db = sqlite3.connect(folder / "bare.db", isolation_level=None)
        self.db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; {TABLE}")

    def one_by_one(self) -> None:
        for number in range(ONE_BY_ONE):
            self.db.execute(INSERT, (new_id().bytes, number, BODY))

    def many(self) -> None:
        for start in range(0, MANY, BATCH):
            self.db.execute("BEGIN IMMEDIATE")
            rows = [(new_id().bytes, start + number, BODY) for number in range(BATCH)]
            self.db.executemany(INSERT, rows)
            self.db.execute("COMMIT")

    def loop(self, size: int = LOOP) -> None:
        while rows := self.db.execute(CLAIM, (2**60, size)).fetchall():
            self.db.execute("BEGIN IMMEDIATE")
            self.db.executemany(DELETE, [(row[0],) for row in rows])
            self.db.execute("COMMIT")


class Driven:
    """The driver, with all that it promises."""

    def __init__(self, folder: Path, synchronous: str) -> None:
        url = Url.parse(f"sqlite:///{folder}/driven.db?synchronous={synchronous}")
        self.driver = SqlDriver.open(url, DriverSetup())
        self.consumer = self.driver.consumer("bench")

    def one_by_one(self) -> None:
        for _ in range(ONE_BY_ONE):
            self.driver.send([Message(new_id(), "q", BODY)])

    def many(self, count: int = MANY) -> None:
        for _ in range(0, count, BATCH):
            self.driver.send([Message(new_id(), "q", BODY) for _ in range(BATCH)])

    def loop(self, size: int = LOOP, most: int = 2**60) -> None:
        while most > 0 and (taken := self.consumer.reserve(["q"], size, 0).deliveries):
            self.consumer.settle([Done(delivery) for delivery in taken])
            most -= len(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description="The SQL driver beside the bare sqlite3 module.")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--synchronous", default="full", choices=["full", "normal", "off"])
    parser.add_argument("--backlog", type=int, default=0, help="compare the drain behind so many")
    chosen = parser.parse_args()
    print(f"{'synchronous=' + chosen.synchronous:34}{'sqlite3':>12}{'driver':>12}{'ratio':>8}")
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        compare(Bare(Path(name), chosen.synchronous), Driven(Path(name), chosen.synchronous))
        if chosen.backlog:
            driven = Driven(Path(name), chosen.synchronous)
            few, many = drain(driven, 10_000), drain(driven, chosen.backlog)
            show(f"drain, 10,000 | {chosen.backlog:,} waiting", few, many)


def compare(bare: Bare, driven: Driven) -> None:
    """Each step in turns, the best of all rounds but the first, in which both logs still grow."""
    steps: list[tuple[str, int, Callable[[], None], Callable[[], None]]] = [
        ("send, one by one", ONE_BY_ONE, bare.one_by_one, driven.one_by_one),
        (f"send, {BATCH} a call", MANY, bare.many, driven.many),
        (f"reserve and settle, {LOOP} a call", MANY + ONE_BY_ONE, bare.loop, driven.loop),
    ]
    found: dict[str, list[tuple[float, float]]] = {title: [] for title, *_ in steps}
    for _ in range(ROUNDS + 1):
        for title, count, left, right in steps:
            found[title].append((rate(count, left), rate(count, right)))
    for title, rates in found.items():
        show(title, *(max(side) for side in zip(*rates[1:], strict=True)))


def drain(driven: Driven, waiting: int) -> float:
    """The rate of the first 10,000 of so many waiting messages."""
    driven.many(waiting)
    found = rate(10_000, lambda: driven.loop(most=10_000))
    driven.driver.clear("q")
    return found


def show(title: str, left: float, right: float) -> None:
    """One line of the table."""
    print(f"{title:34}{left:>10,.0f}/s{right:>10,.0f}/s{right / left:>8.2f}")


if __name__ == "__main__":
    main()
