"""Dispatch to beanstalkd and drain it, beside a bare greenstalk loop on the same server, binlog on."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import greenstalk

from benchmarks.drain import drained
from benchmarks.jobs import noop
from benchmarks.measure import Row, rate
from packhorse import Packhorse
from tests.beanstalkd import Server, serving

SINGLE = 3_000
JOBS = 20_000
RUNS = 5


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name, serving(Server(Path(name) / "binlog")) as server:
        folder = Path(name)
        with (
            greenstalk.Client(("127.0.0.1", server.port), encoding=None) as raw,
            Packhorse(server.url, store=f"sqlite:///{folder}/store.db") as kept,
            Packhorse(server.url) as bare,
        ):
            raw.use("raw")
            raw.watch("raw")
            raw.ignore("default")
            yield from _dispatching(raw, bare)
            yield from _draining(raw, bare, kept)


def _dispatching(raw: "greenstalk.Client[bytes]", app: Packhorse) -> Iterator[Row]:
    def put() -> None:
        for _ in range(SINGLE):
            raw.put(b"x" * 200, ttr=30)

    def dispatch() -> None:
        for number in range(SINGLE):
            app.dispatch(noop.bind(number))

    puts, dispatches = [], []
    for _ in range(RUNS):  # in turn, so that a machine that drifts hits both
        puts.append(rate(SINGLE, put))
        _empty(raw)
        dispatches.append(rate(SINGLE, dispatch))
    app.worker(concurrency=8).run(stop_when_empty=True)
    shares = [one / other for one, other in zip(dispatches, puts, strict=True)]
    yield Row("raw greenstalk, put", puts, "jobs/s")
    yield Row("beanstalkd, dispatch one by one", dispatches, "jobs/s")
    yield Row("beanstalkd, dispatch as a share of raw", shares, "", 0.8)


def _draining(raw: "greenstalk.Client[bytes]", bare: Packhorse, kept: Packhorse) -> Iterator[Row]:
    raws, without, with_store = [], [], []
    for _ in range(RUNS):
        for _ in range(JOBS):
            raw.put(b"x" * 200, ttr=30)
        raws.append(rate(JOBS, lambda: _empty(raw)))
        without.append(drained(bare, noop.bind, JOBS))
        with_store.append(drained(kept, noop.bind, JOBS))
    yield Row("raw greenstalk, reserve and delete", raws, "jobs/s")
    for name, rates in (("no store", without), ("with a store", with_store)):
        shares = [one / other for one, other in zip(rates, raws, strict=True)]
        yield Row(f"beanstalkd, drain, 8 threads, {name}", rates, "jobs/s")
        yield Row(f"beanstalkd, drain as a share of raw, {name}", shares, "", 2.0)


def _empty(raw: "greenstalk.Client[bytes]") -> None:
    try:
        while True:
            raw.delete(raw.reserve(timeout=0))
    except greenstalk.TimedOutError:
        return
