"""What a sweep mends, and what it must leave alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from packhorse import JobContext, batch, job
from packhorse.flow import ledger
from packhorse.flow.batches import Batch
from packhorse.flow.sweep import EVERY
from packhorse.flow.tally import Ended
from packhorse.store.contract import Delete, Group
from packhorse.testing.simulation.world import Crash
from tests.unit.flow.conftest import SQLITE
from tests.unit.flow.log import broken, called, log, step
from tests.unit.flow.rig import Rig, SlowWorker

waits = step.using(queue="idle").bind
"""A step on a queue that no worker of these tests serves."""


@job(name="flow.goes_on")
def goes_on(ctx: JobContext) -> None:
    assert ctx.chain is not None
    ctx.chain.append(waits("added"))


@pytest.fixture(params=["memory", "cluster", SQLITE])
def asked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """A rig whose broker can be asked for its messages."""
    log.clear()
    rig = Rig(request.param, tmp_path)
    yield rig
    rig.close()


def sweeps(rig: Rig, worker: SlowWorker, times: int = 4) -> None:
    for _ in range(times):
        worker.sweep()
        rig.clock.advance(EVERY)


def numbers(found: Batch) -> tuple[int, int, int]:
    """Pending, failed and dropped."""
    found.refresh()
    return found.pending, found.failed, found.dropped


def test_what_waits_is_left_alone(rig: Rig) -> None:
    found = batch([waits("a"), [step.bind("b"), waits("c")]]).dispatch()
    worker = rig.worker()
    worker.work()
    sweeps(rig, worker)
    assert numbers(found) == (2, 0, 0)


def test_a_chain_that_has_grown_is_found(rig: Rig) -> None:
    found = batch([[step.bind("a"), goes_on.bind()]]).dispatch()
    worker = rig.worker()
    worker.work()
    sweeps(rig, worker)
    assert numbers(found) == (1, 0, 0)


def test_a_chain_that_is_in_a_batch_is_found(rig: Rig) -> None:
    found = batch([[step.bind("a"), batch([waits("b")]), step.bind("c")], batch([waits("d")])])
    pushed = found.dispatch()
    worker = rig.worker()
    worker.work()
    sweeps(rig, worker)
    assert numbers(pushed) == (2, 0, 0)


@pytest.mark.parametrize("calls", range(6))
def test_a_reply_that_was_lost_is_found_out_at_once(rig: Rig, calls: int) -> None:
    found = batch([step.bind("a")]).finally_(called.bind("finally")).dispatch()
    worker = rig.worker()
    worker.fetch()
    worker.run()
    worker.settle(calls, "reply lost")
    assert numbers(found) == (0, 0, 0)
    worker.work()
    assert log.count("finally (succeeded)") == 1


@pytest.mark.parametrize("calls", range(9))
def test_a_worker_that_dies_at_any_call_leaves_nothing_undone(asked: Rig, calls: int) -> None:
    found = batch([step.bind("a"), broken.bind(), waits("b")]).catch(called.bind("catch"))
    pushed = found.allow_failures().dispatch()
    worker = asked.worker()
    worker.fetch()
    while worker.run():
        pass
    try:
        worker.settle(calls, "crash after")
    except Crash:
        worker = asked.worker()
    asked.clock.advance(3 * EVERY + 1)
    worker.work()
    sweeps(asked, worker)
    worker.work()
    assert numbers(pushed) == (1, 1, 0)
    assert sum(one.startswith("catch") for one in log) == 1


def test_one_worker_sweeps_and_another_takes_over(asked: Rig) -> None:
    found = batch([step.bind("a"), waits("b")]).dispatch()
    first, second = asked.worker(), asked.worker()
    first.fetch()
    first.run()
    with pytest.raises(Crash):
        first.settle(1, "crash after")  # settled, noted, and not counted
    first = asked.worker()
    sweeps(asked, first, 1)
    sweeps(asked, second, 2)
    assert numbers(found) == (2, 0, 0)
    sweeps(asked, second, 4)
    assert numbers(found) == (1, 0, 0)
    assert found.done == 1


def test_a_batch_on_connections_that_are_unknown_here_is_left_alone(asked: Rig) -> None:
    found = batch([waits("a")]).dispatch()
    store, tally = asked.app.connection().store, asked.app.batches.tally("main")
    tally.store.apply([ledger.spread(found.id, ["elsewhere"])])
    asked.app.queue("idle").clear()
    sweeps(asked, asked.worker())
    assert numbers(found) == (1, 0, 0)
    store.apply([Group([Delete(ledger.batch_key(found.id, "where"))])])


def test_a_member_counts_once_whatever_is_said_of_it_later(rig: Rig) -> None:
    found = batch([waits("a"), waits("b")]).allow_failures().dispatch()
    tally = rig.app.batches.tally("main")
    (value,) = rig.app.connection().store.read([ledger.batch_key(found.id, "pending")])
    assert isinstance(value, frozenset)
    first, second = sorted(value)
    tally.count({found.id: [Ended(first, "done"), Ended(second, "failed")]})
    for how in ("failed", "dropped", "done"):
        tally.count({found.id: [Ended(first, how), Ended(second, how)]})
    assert numbers(found) == (0, 1, 0)
    assert found.done == 1


def test_a_batch_is_not_over_while_a_member_is_pending(rig: Rig) -> None:
    found = batch([waits("a")]).dispatch()
    assert rig.app.connection().store.apply([ledger.over(found.id, b"end")]) == [None]
    rig.app.batches.tally("main").finish(found.id)
    assert not found.refresh().finished
