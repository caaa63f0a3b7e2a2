"""Copies of a message on brokers that keep no ids known: one of them runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from packhorse import batch, chain
from packhorse.ids import derived_id
from packhorse.testing.simulation.world import Crash
from tests.unit.flow.log import called, log, step
from tests.unit.flow.rig import LEASE, Rig


@pytest.fixture(params=["sqs", "sqs-fifo", "beanstalkd"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    log.clear()
    rig = Rig(request.param, tmp_path)
    yield rig
    rig.close()


@pytest.mark.parametrize("calls", range(6))
def test_a_link_that_was_sent_twice_runs_once(rig: Rig, calls: int) -> None:
    chain(step.bind("a"), step.bind("b"), step.bind("c")).dispatch()
    worker = rig.worker()
    worker.fetch()
    worker.run()
    try:
        worker.settle(calls, "crash after")
    except Crash:
        worker = rig.worker()
    rig.drain(worker)
    assert [one for one in log if one != "a"] == ["b", "c"]


def test_a_stale_worker_marks_nothing_as_done(rig: Rig) -> None:
    found = batch([]).finally_(called.bind("finally")).dispatch()
    stale, current = rig.worker(), rig.worker()
    stale.fetch()
    rig.clock.advance(LEASE + 1)
    current.fetch()
    stale.run()
    stale.settle()
    store, key = rig.app.connection().store, f"taken:{derived_id(found.id, 'finally 0')}"
    assert store.read([key]) not in ([None], [b"done"])
    current.run()
    current.settle()
    assert store.read([key]) == [b"done"]
