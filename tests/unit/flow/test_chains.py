"""Chains, by the rows of the comparison with Laravel; see `docs/laravel.md`."""

import pytest

from packhorse import JobContext, batch, chain, job
from packhorse.driver.abilities import Lists
from packhorse.driver.message import Unique
from packhorse.errors import InvalidPayload, JobDefinitionError
from packhorse.flow.chains import ChainHandle, link_id
from packhorse.pending import Pending
from packhorse.testing.simulation.fated import FatedDriver
from tests.unit.flow.log import broken, called, healed, log, says, step
from tests.unit.flow.rig import LEASE, Rig


@job(name="flow.lengthens")
def lengthens(ctx: JobContext) -> None:
    log.append("lengthens")
    assert ctx.chain is not None
    ctx.chain.append(step.bind("z"))
    ctx.chain.prepend(step.bind("b"), step.bind("c"))


@job(name="flow.unique", unique=Unique("one"))
def unique(name: str) -> None:
    log.append(name)


def letters(text: str) -> list[Pending[None]]:
    return [step.bind(letter) for letter in text]


def lists(rig: Rig) -> bool:
    driver: object = rig.app.connection().driver
    return isinstance(driver, Lists)


def test_f1_a_chain_is_made_of_jobs_and_batches_and_dispatched(rig: Rig) -> None:
    handle = chain(step.bind("a"), batch([step.bind("b")]), step.bind("c")).dispatch()
    assert handle.length == 3
    assert handle.state() == "running"
    rig.drain(rig.worker())
    assert log == ["a", "b", "c"]
    assert handle.state() == "succeeded"


def test_f1_what_is_no_job_is_refused_where_the_chain_is_made() -> None:
    with pytest.raises(JobDefinitionError):
        chain()
    with pytest.raises(JobDefinitionError):
        chain(step.bind("a"), None)  # type: ignore[arg-type]


def test_f1_wrong_arguments_of_any_link_raise_at_the_dispatch(rig: Rig) -> None:
    with pytest.raises(InvalidPayload):
        chain(step.bind("a"), step.bind(7)).dispatch()  # type: ignore[arg-type]
    assert not rig.worker().work()


def test_f2_a_long_chain_is_no_larger_a_message(rig: Rig) -> None:
    sizes: list[int] = []
    driver = rig.app.connection().driver
    assert isinstance(driver, FatedDriver)
    consumer = driver.consumer("looks")
    chain(*(step.bind(f"{place:04}") for place in range(200))).dispatch()
    worker = rig.worker()
    for _ in range(50):
        (delivery,) = consumer.reserve(["default"], 1, 0.0).deliveries
        sizes.append(len(delivery.message.body))
        rig.clock.advance(LEASE + 1)
        worker.work_once()
    assert log == [f"{place:04}" for place in range(50)]
    assert max(sizes) < 4_000


@pytest.mark.parametrize("what", ["delete", "release", "return"])
def test_f3_the_next_link_follows_when_a_link_is_done(rig: Rig, what: str) -> None:
    chain(says.bind(what), step.bind("next")).dispatch()
    rig.drain(rig.worker())
    assert log == [*[what] * (2 if what == "release" else 1), "next"]


def test_f3_a_link_that_waits_holds_the_chain(rig: Rig) -> None:
    chain(says.bind("release"), step.bind("next")).dispatch()
    worker = rig.worker()
    worker.work()
    assert log == ["release"]
    rig.clock.advance(6.0)
    worker.work()
    assert log == ["release", "release", "next"]


def test_f3_a_link_that_fails_ends_the_chain(rig: Rig) -> None:
    handle = chain(says.bind("fail"), step.bind("never")).dispatch()
    rig.drain(rig.worker())
    assert log == ["fail"]
    assert handle.state() == "failed"


def test_f4_queue_and_connection_of_the_chain_hold_where_a_link_names_none(rig: Rig) -> None:
    pushed = chain(step.bind("a"), step.using(queue="own").bind("b"), step.bind("c"))
    links = pushed.using(queue="chain").links(rig.app)
    assert [link.queue for link in links] == ["chain", "own", "chain"]


def test_f5_the_delay_of_a_chain_is_that_of_its_first_link(rig: Rig) -> None:
    pushed = chain(step.bind("a"), step.using(delay=3.0).bind("b")).using(delay=5.0)
    if rig.app.connection().driver.capabilities.max_delay == 0.0:
        with pytest.raises(InvalidPayload, match="delay"):
            pushed.dispatch()
        return
    pushed.dispatch()
    worker = rig.worker()
    for seconds, ran in ((4.0, []), (2.0, ["a"]), (2.0, ["a"]), (2.0, ["a", "b"])):
        rig.clock.advance(seconds)
        worker.work()
        assert log == ran


def test_f6_a_catch_is_called_once_and_told_why(rig: Rig) -> None:
    chain(step.bind("a"), broken.bind(), step.bind("never")).catch(called.bind("catch")).dispatch()
    rig.drain(rig.worker())
    assert log == ["a", "broken", "catch because of flow.broken: failed at attempt 1 of 1"]


def test_f6_a_link_that_nobody_knows_or_can_read_is_caught_too(rig: Rig) -> None:
    from packhorse import registry

    chain(step.bind("a"), broken.bind()).catch(called.bind("catch")).dispatch()
    worker = rig.worker()
    worker.work_once()
    known = registry._jobs.pop("flow.broken")
    try:
        rig.drain(worker)
    finally:
        registry._jobs["flow.broken"] = known
    assert log[0] == "a"
    assert log[1].startswith("catch because of flow.broken: no worker knows")


def test_f6_a_retried_link_goes_on_with_the_chain(rig: Rig) -> None:
    handle = (
        chain(broken.bind(), *letters("abcdefghijklmnopqrst"))
        .catch(called.bind("catch"))
        .dispatch()
    )
    worker = rig.worker()
    rig.drain(worker)
    assert handle.state() == "failed"
    healed.add("broken")
    try:
        assert rig.app.failed.retry("all") == 1
        assert handle.state() == "running"
        rig.drain(worker)
    finally:
        healed.clear()
    assert log[2:] == ["broken", *"abcdefghijklmnopqrst"]
    assert handle.state() == "succeeded"


@pytest.mark.parametrize("behind", [0, 1, 15, 16, 17, 40])
def test_f7_a_job_prepends_and_appends(rig: Rig, behind: int) -> None:
    handle = chain(lengthens.bind(), *(step.bind(str(n)) for n in range(behind))).dispatch()
    rig.drain(rig.worker())
    assert log == ["lengthens", "b", "c", *map(str, range(behind)), "z"]
    assert handle.state() == "succeeded"


def test_f7_what_is_added_takes_effect_only_if_the_job_is_done(rig: Rig) -> None:
    chain(says.bind("release"), lengthens.bind()).dispatch()
    worker = rig.worker()
    worker.work()
    worker.fetch()
    rig.clock.advance(LEASE + 6)
    worker.work()
    worker.fetch()
    worker.run()  # it has added links, and dies before it is settled
    worker = rig.worker()
    rig.clock.advance(LEASE + 1)
    rig.drain(worker)
    assert [one for one in log if len(one) == 1] == ["b", "c", "z"]


def test_f8_the_chain_goes_on_when_its_batch_has_succeeded(rig: Rig) -> None:
    inner = batch([step.bind("b"), step.bind("c")]).then(called.bind("then"))
    handle = chain(step.bind("a"), inner, *letters("defghijklmnopqrstuv")).dispatch()
    rig.drain(rig.worker())
    assert [one for one in log if len(one) == 1] == list("abcdefghijklmnopqrstuv")
    assert "then (succeeded)" in log
    assert handle.state() == "succeeded"


def test_f8_a_batch_that_fails_ends_the_chain_unless_it_allows_failures(rig: Rig) -> None:
    inner = batch([broken.bind(), step.bind("b")], name="inner")
    chain(inner, step.bind("never")).catch(called.bind("catch")).dispatch()
    chain(inner.allow_failures(), step.bind("after")).catch(called.bind("never")).dispatch()
    rig.drain(rig.worker())
    assert "catch because of batch inner: cancelled" in log
    assert "after" in log
    assert not any("never" in one for one in log)


def test_f8_a_batch_in_a_chain_in_a_batch(rig: Rig) -> None:
    deep = batch([step.bind("deep")])
    outer = batch(
        [[step.bind("a"), batch([[step.bind("b"), deep], step.bind("c")]), step.bind("d")]]
    )
    pushed = outer.then(called.bind("then")).dispatch()
    rig.drain(rig.worker())
    assert sorted(log) == ["a", "b", "c", "d", "deep", "then (succeeded)"]
    assert (pushed.refresh().total, pushed.done) == (1, 1)


def test_f9_a_chain_is_found_by_its_id_and_cancelled(rig: Rig) -> None:
    handle = chain(*letters("abc")).dispatch()
    worker = rig.worker()
    worker.work_once()
    found = rig.app.chains.find(str(handle.id))
    assert isinstance(found, ChainHandle)
    assert (found.id, found.length, found.state()) == (handle.id, 3, "running")
    if lists(rig):
        assert found.place() == 1
        current = found.current()
        assert current is not None
        assert current.id == link_id(handle.id, 1)
    assert found.cancel()
    rig.drain(worker)
    assert log == ["a"]
    assert found.state() == "cancelled"
    assert not found.cancel()


def test_f9_a_chain_that_is_over_is_forgotten_some_day(rig: Rig) -> None:
    handle = chain(*letters("ab")).dispatch()
    rig.drain(rig.worker())
    assert rig.app.chains.find(handle.id) is not None
    rig.clock.advance(8 * 86_400.0)
    assert rig.app.chains.find(handle.id) is None


def test_a_link_whose_unique_key_is_taken_ends_the_chain_as_skipped(rig: Rig) -> None:
    rig.app.queue().push(unique.bind("holder"))
    worker = rig.worker()
    worker.fetch()  # and holds it
    handle = chain(step.bind("a"), unique.bind("u"), step.bind("never")).dispatch()
    other = rig.worker()
    other.work()
    assert handle.state() == "skipped"
    rig.drain(worker)
    assert log == ["a", "holder"]


def test_a_link_to_an_unknown_connection_fails_the_job_before_it(rig: Rig) -> None:
    import msgspec

    from packhorse.flow import chain as chains

    links = chain(step.bind("a"), step.bind("b")).links(rig.app)
    links[1] = msgspec.structs.replace(links[1], connection="elsewhere")
    caught = chain(called.bind("catch")).links(rig.app)
    from packhorse.ids import new_id

    connection, message, groups = chains.first_message(links, caught, rig.app, new_id())
    connection.store.apply(groups)
    connection.driver.send([message])
    rig.drain(rig.worker())
    assert log[0] == "a"
    assert log[1].startswith("catch because of flow.step: what follows cannot be sent")
    assert rig.app.failed.count() == 1
