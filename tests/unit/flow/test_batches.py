"""Batches, by the rows of the comparison with Laravel; see `docs/laravel.md`."""

from collections.abc import Iterator

import pytest

from packhorse import JobContext, batch, chain, events, job
from packhorse.driver.abilities import Clears, Lists
from packhorse.driver.message import Unique
from packhorse.driver.outcome import Done
from packhorse.errors import ConnectionLost, InvalidPayload, PackhorseError, StoreRequired
from packhorse.flow import ledger, pushing
from packhorse.flow.batches import Batch
from packhorse.ids import new_id
from packhorse.pending import Pending
from packhorse.testing import Recorder
from tests.unit.flow.log import Broken, broken, called, healed, log, step
from tests.unit.flow.rig import LEASE, Rig

DAY = 86_400.0


@job(name="flow.adds")
def adds(ctx: JobContext) -> None:
    log.append("adds")
    assert ctx.batch is not None
    ctx.batch.add([step.bind("x"), [step.bind("y"), step.bind("z")]])


@job(name="flow.single", unique=Unique("one"))
def single(name: str) -> None:
    log.append(name)


def steps(text: str) -> list[Pending[None]]:
    return [step.bind(letter) for letter in text]


def counts(found: Batch) -> tuple[int, int, int, int, int]:
    """Total, pending, done, failed and dropped."""
    found.refresh()
    return found.total, found.pending, found.done, found.failed, found.dropped


def can_ask(rig: Rig) -> bool:
    driver: object = rig.app.connection().driver
    return isinstance(driver, Lists)


def test_h1_a_batch_is_made_of_jobs_and_a_list_is_a_chain(rig: Rig) -> None:
    members = [
        step.bind("a"),
        steps("bcd"),
        chain(broken.bind(), step.bind("e")).catch(step.bind("f")),
    ]
    pushed = batch(members, name="import").allow_failures().dispatch()  # type: ignore[arg-type]
    assert (pushed.name, pushed.total) == ("import", 3)
    rig.drain(rig.worker())
    assert sorted(log) == ["a", "b", "broken", "c", "d", "f"]
    assert counts(pushed) == (3, 0, 2, 1, 0)


def test_h2_each_member_goes_to_its_own_queue(rig: Rig) -> None:
    batch([step.bind("a"), step.using(queue="own").bind("b")]).using(queue="batch").dispatch()
    sizes = {name: rig.app.queue(name).size() for name in ("default", "own", "batch")}
    assert sizes == {"default": 0, "own": 1, "batch": 1}


def test_h2_an_iterable_that_raises_cancels_what_it_has_given(rig: Rig) -> None:
    def some() -> Iterator[Pending[None]]:
        for number in range(pushing.PORTION + 1):
            yield step.bind(str(number))
        raise Broken("no more")

    with pytest.raises(Broken, match="no more"):
        batch(some(), name="half").finally_(called.bind("finally")).dispatch()
    rig.drain(rig.worker(), rounds=2_000)
    (found,) = rig.app.batches.list()
    assert counts(found) == (pushing.PORTION, 0, 0, 0, pushing.PORTION)
    assert found.state == "cancelled"
    assert log == ["finally (cancelled)"]


def test_h2_wrong_arguments_of_a_member_raise_and_cancel_the_batch(rig: Rig) -> None:
    with pytest.raises(InvalidPayload):
        batch([step.bind("a"), step.bind(7)]).dispatch()  # type: ignore[arg-type]
    rig.drain(rig.worker())
    assert log == []


def test_h2_an_empty_batch_is_over_at_once(rig: Rig) -> None:
    pushed = batch([]).then(called.bind("then")).finally_(called.bind("finally")).dispatch()
    assert pushed.finished
    rig.drain(rig.worker())
    assert log == ["then (succeeded)", "finally (succeeded)"]


def test_h3_callbacks_are_jobs_that_are_pushed_once(rig: Rig) -> None:
    pushed = batch(steps("abc")).then(called.bind("then"), step.bind("other"))
    pushed.finally_(called.bind("finally")).progress(called.bind("progress")).dispatch()
    rig.drain(rig.worker())
    assert log.count("then (succeeded)") == 1
    assert log.count("other") == 1
    assert log.count("finally (succeeded)") == 1
    assert any(one.startswith("progress") for one in log)


def test_h4_a_failure_lowers_what_is_pending_and_cancels_the_rest(rig: Rig) -> None:
    members = [broken.bind(), *steps("abcdef")]
    pushed = batch(members).then(step.bind("never")).catch(called.bind("catch"))
    found = pushed.finally_(called.bind("finally")).dispatch()
    rig.drain(rig.worker())
    assert found.refresh().state == "cancelled"
    assert (found.total, found.pending, found.failed) == (7, 0, 1)
    assert found.done + found.dropped == 6
    assert found.dropped >= 4  # three were reserved together
    catches = [one for one in log if one.startswith("catch")]
    assert len(catches) == 1
    assert catches[0].startswith("catch because of flow.broken: failed at attempt 1 of 1")
    assert log[-1] == "finally (cancelled)"


def test_h5_with_failures_allowed_everything_runs_and_the_batch_ends(rig: Rig) -> None:
    members = [broken.bind("one"), *steps("ab"), broken.bind("two")]
    pushed = batch(members).allow_failures().then(step.bind("never")).catch(called.bind("catch"))
    found = pushed.finally_(called.bind("finally")).dispatch()
    rig.drain(rig.worker())
    assert counts(found) == (4, 0, 2, 2, 0)
    assert found.state == "finished with failures"
    assert found.finished
    assert sum(one.startswith("catch") for one in log) == 1
    assert "finally (finished with failures)" in log
    assert "never" not in log


def test_h6_cancel_keeps_what_waits_from_running(rig: Rig) -> None:
    delay = 0.0 if rig.app.connection().driver.capabilities.max_delay == 0.0 else 100.0
    members = [*steps("abcd"), step.using(delay=delay).bind("late")]
    found = batch(members).then(step.bind("never")).finally_(called.bind("finally")).dispatch()
    worker = rig.worker()
    worker.work_once()
    assert found.cancel()
    assert not found.cancel()
    rig.drain(worker)
    assert log == ["a", "b", "c", "finally (cancelled)"]
    assert counts(found) == (5, 0, 3, 0, 2)
    assert found.cancelled


def test_h7_a_member_knows_its_batch_and_adds_to_it(rig: Rig) -> None:
    found = batch([adds.bind(), step.bind("a")]).then(called.bind("then")).dispatch()
    rig.drain(rig.worker())
    assert counts(found) == (4, 0, 4, 0, 0)
    assert sorted(log) == ["a", "adds", "then (succeeded)", "x", "y", "z"]


def test_h7_others_add_while_it_runs_and_not_when_it_is_over(rig: Rig) -> None:
    found = batch(steps("a")).then(called.bind("then")).dispatch()
    assert found.add(steps("bc")) == 2
    rig.drain(rig.worker())
    assert counts(found) == (3, 0, 3, 0, 0)
    with pytest.raises(PackhorseError, match="is over"):
        found.add(steps("d"))
    assert counts(found) == (3, 0, 3, 0, 0)


def test_h8_a_batch_is_found_and_looked_at(rig: Rig) -> None:
    pushed = batch(steps("abcd"), name="four").dispatch()
    assert pushed.progress == 0.0
    rig.worker().work_once()
    found = rig.app.batches.find(str(pushed.id))
    assert found is not None
    assert (found.name, found.state, found.finished) == ("four", "running", False)
    assert counts(found) == (4, 1, 3, 0, 0)
    assert found.progress == 0.75
    assert [one.id for one in rig.app.batches.list()] == [pushed.id]
    assert rig.app.batches.find(new_id()) is None


def test_h9_events_tell_of_a_batch(rig: Rig) -> None:
    heard = Recorder()
    rig.app.on(events.BatchEvent)(heard)
    batch([*steps("ab"), broken.bind()], name="told").dispatch()
    rig.drain(rig.worker())
    dispatched, cancelled, finished = heard.events
    assert isinstance(dispatched, events.BatchDispatched)
    assert dispatched.total == 3
    assert isinstance(cancelled, events.BatchCancelled)
    assert isinstance(finished, events.BatchFinished)
    assert finished.state == "cancelled"


def test_h10_failed_members_are_retried_and_the_numbers_are_right(rig: Rig) -> None:
    members = [broken.bind("one"), step.bind("a"), broken.bind("two")]
    pushed = batch(members).allow_failures().then(called.bind("then")).catch(called.bind("catch"))
    found = pushed.finally_(called.bind("finally")).dispatch()
    worker = rig.worker()
    rig.drain(worker)
    assert counts(found) == (3, 0, 1, 2, 0)
    healed.add("one")
    try:
        assert rig.app.batches.retry(found.id) == 2
        assert counts(found) == (3, 2, 1, 0, 0)
        assert not found.finished
        rig.drain(worker)
        assert counts(found) == (3, 0, 2, 1, 0)
        healed.add("two")
        assert rig.app.batches.retry(found.id) == 1
        rig.drain(worker)
    finally:
        healed.clear()
    assert counts(found) == (3, 0, 3, 0, 0)
    assert found.state == "succeeded"
    assert sum(one.startswith("catch") for one in log) == 1
    assert sum(one.startswith("finally") for one in log) == 1
    assert log[-1] == "then (succeeded)"


def test_h11_old_batches_are_pruned_and_forgotten(rig: Rig) -> None:
    over, running = batch(steps("a")).dispatch(), batch(steps("b")).using(queue="idle").dispatch()
    rig.drain(rig.worker())
    assert rig.app.batches.prune(older_than=3_600.0) == 0
    assert rig.app.batches.prune(older_than=0.0) == 1
    assert rig.app.batches.find(over.id) is None
    assert [one.id for one in rig.app.batches.list()] == [running.id]
    keys = ledger.keys(over.id)
    assert rig.app.connection().store.read(keys) == [None] * len(keys)


def test_h12_h13_any_store_keeps_batches_and_forgets_them_by_itself(rig: Rig) -> None:
    found = batch([*steps("ab"), broken.bind()]).allow_failures().dispatch()
    rig.drain(rig.worker())
    rig.clock.advance(ledger.KEEP)
    keys = ledger.keys(found.id)
    assert rig.app.connection().store.read(keys) == [None] * len(keys)
    assert rig.app.batches.list() == []


def test_h14_a_member_that_comes_again_counts_once(rig: Rig) -> None:
    found = batch(steps("ab")).finally_(called.bind("finally")).dispatch()
    first, second = rig.worker(), rig.worker()
    first.fetch()
    first.run()
    rig.clock.advance(LEASE + 1)
    second.work()
    first.settle()
    rig.drain(second)
    assert counts(found) == (2, 0, 2, 0, 0)
    assert log.count("finally (succeeded)") == 1


def test_w22_a_member_whose_outcome_was_lost_on_the_way_counts_once(rig: Rig) -> None:
    found = batch(steps("abc")).then(called.bind("then")).dispatch()
    worker = rig.worker()
    for calls in range(12):
        worker.fetch()
        while worker.run():
            pass
        worker.settle(calls, "reply lost")
    rig.drain(worker)
    assert counts(found) == (3, 0, 3, 0, 0)
    assert log.count("then (succeeded)") == 1


def test_w23_a_chain_that_fails_is_one_failed_member(rig: Rig) -> None:
    failing = [step.bind("a"), broken.bind(), step.bind("never")]
    found = (
        batch([failing, [step.bind("b")]])
        .allow_failures()
        .finally_(called.bind("finally"))
        .dispatch()
    )
    rig.drain(rig.worker())
    assert counts(found) == (2, 0, 1, 1, 0)
    assert "finally (finished with failures)" in log


def test_w23_a_callback_that_adds_is_told_that_the_batch_is_over(rig: Rig) -> None:
    found = batch(steps("a")).then(adds.bind()).dispatch()
    rig.drain(rig.worker())
    assert log == ["a", "adds"]
    (dead,) = rig.app.failed.list()
    assert "is over" in dead.failures[-1].message
    assert counts(found) == (1, 0, 1, 0, 0)


def test_w23_members_that_vanished_are_dropped_and_the_batch_ends(rig: Rig) -> None:
    if not can_ask(rig):
        return  # nobody can tell that they have vanished; see the page on workflows
    found = (
        batch(steps("abcde")).then(step.bind("never")).finally_(called.bind("finally")).dispatch()
    )
    worker = rig.worker()
    worker.work_once()
    driver: object = rig.app.connection().driver
    assert isinstance(driver, Clears)
    assert driver.clear(None) == 2
    rig.drain(worker)
    assert counts(found) == (5, 0, 3, 0, 2)
    assert log[-1] == "finally (cancelled)"


def test_h11_a_batch_that_nobody_can_end_is_given_up(rig: Rig) -> None:
    pushed = batch(steps("abc")).then(step.bind("never")).finally_(called.bind("finally"))
    found = pushed.dispatch()
    lost = rig.app.connection().driver.consumer("loses")
    (one,) = lost.reserve(["default"], 1, 0).deliveries
    assert lost.settle([Done(one)]) == ["applied"]
    assert rig.app.batches.give_up(older_than=3_600.0) == 0
    assert rig.app.batches.give_up(older_than=0.0) == 1
    assert counts(found) == (3, 0, 0, 0, 3)
    rig.drain(rig.worker())
    assert log == ["finally (cancelled)"]
    assert rig.app.batches.give_up(older_than=0.0) == 0
    assert rig.app.batches.prune(older_than=0.0) == 1


def test_w24_members_are_counted_once_a_settled_group(rig: Rig) -> None:
    found = batch(steps("abcd")).dispatch()
    worker = rig.worker()
    worker.fetch()
    while worker.run():
        pass
    rig.fates.calls.clear()
    worker.settle()
    calls = rig.fates.calls
    assert calls["read"] + calls["apply"] <= 3  # a note, the plan, and the count of all three
    assert counts(found) == (4, 1, 3, 0, 0)


def test_a_unique_job_whose_key_is_taken_is_no_member(rig: Rig) -> None:
    rig.app.queue("elsewhere").push(single.bind("other queue"))
    rig.app.queue().push(single.bind("holder"))
    also = chain(single.bind("also"), step.bind("never"))
    found = batch([step.bind("a"), single.bind("taken"), also]).then(called.bind("then")).dispatch()
    assert found.total == 1
    rig.drain(rig.worker())
    assert sorted(log) == ["a", "holder", "then (succeeded)"]
    assert counts(found) == (1, 0, 1, 0, 0)


def test_a_dispatcher_that_dies_ends_its_batch(rig: Rig) -> None:
    def dies() -> Iterator[Pending[None]]:
        yield from steps("abcd")
        raise KeyboardInterrupt

    tally = rig.app.batches.tally(rig.app.connection().name)
    abandoned = type(tally).abandon
    try:
        type(tally).abandon = lambda self, id: None  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            batch(slowly(dies())).finally_(called.bind("finally")).dispatch()
    finally:
        type(tally).abandon = abandoned  # type: ignore[method-assign]
    worker = rig.worker()
    worker.work_once()
    (found,) = rig.app.batches.list()
    assert found.state == "running"
    for _ in range(10):
        worker.sweep()
        rig.clock.advance(ledger.ALIVE / 5)
    rig.drain(worker)
    assert found.refresh().state == "cancelled"
    assert counts(found)[1] == 0
    assert log[-1] == "finally (cancelled)"


def slowly(jobs: Iterator[Pending[None]]) -> Iterator[Pending[None]]:
    """Lets each member be pushed as it comes."""
    import time

    for one in jobs:
        time.sleep(0.001)
        yield one


def test_members_are_pushed_in_portions_and_a_thousand_are_held_at_most(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "PORTION", 10)
    given = 0

    def many() -> Iterator[Pending[None]]:
        nonlocal given
        for number in range(35):
            assert given - rig.app.queue().size() <= 10
            given += 1
            yield step.bind(str(number))

    assert batch(many()).dispatch().total == 35


def test_a_batch_needs_a_store() -> None:
    from packhorse import Packhorse

    with Packhorse("sync://") as app, pytest.raises(StoreRequired):
        batch(steps("a")).dispatch_on(app)


def test_a_dispatch_whose_broker_is_away_leaves_no_batch_running(rig: Rig) -> None:
    found: list[Batch] = []
    for calls in range(8):
        rig.fates.decide(calls, "refused")
        try:
            found.append(batch(steps("ab")).dispatch())
        except ConnectionLost:
            pass
        finally:
            rig.fates.decide(0, None)
    rig.drain(rig.worker())
    for _ in range(int(ledger.ALIVE / 60) + 5):
        rig.clock.advance(61)
        rig.drain(rig.worker())
    assert all(one.refresh().finished for one in rig.app.batches.list())
