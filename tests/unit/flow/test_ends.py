"""What becomes of a chain and of a batch at each end that a link or member may have, row by row."""

from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from msgspec import Struct

from packhorse import JobContext, Unique, batch, chain, job, registry
from packhorse.driver.abilities import Cancels
from packhorse.middleware import FailOnException, ReleaseWhen
from packhorse.pending import Pending
from tests.unit.flow.log import Broken, broken, called, log, says, step
from tests.unit.flow.rig import LEASE, Rig


def skipping(ctx: JobContext) -> Iterator[None]:
    return
    yield


@job(name="ends.skipped", middleware=[skipping])
def skipped() -> None: ...


@job(name="ends.released", middleware=[ReleaseWhen(lambda ctx: "put back" not in log)])
def released() -> None: ...


@job(name="ends.flaky", tries=2)
def flaky(ctx: JobContext) -> None:
    if ctx.attempt == 1:
        raise Broken


@job(name="ends.hopeless", tries=9, middleware=[FailOnException(Broken)])
def hopeless() -> None:
    raise Broken


@job(name="ends.deadly", max_losses=0)
def deadly() -> None: ...


@job(name="ends.single", unique=Unique("k", on_taken="replace"))
def single() -> None: ...


def run(rig: Rig) -> None:
    rig.drain(rig.worker())


def put_back_once(rig: Rig) -> None:
    worker = rig.worker()
    worker.work()
    assert "next" not in log, "a link that waits holds its chain"
    log.append("put back")
    rig.drain(worker)


def cancel(rig: Rig) -> None:
    queue = rig.app.queue()
    (one,) = [each.id for each in queue.jobs() if each.job == step.definition.name]
    assert queue.cancel(one)
    run(rig)


def can(rig: Rig, how: Callable[[Rig], None]) -> bool:
    """Whether it can be done on this broker."""
    driver: object = rig.app.connection().driver
    return how is not cancel or isinstance(driver, Cancels)


def replace(rig: Rig) -> None:
    rig.app.push(single.bind())
    run(rig)


def die_with_it(rig: Rig) -> None:
    rig.worker().fetch()
    rig.clock.advance(LEASE + 1)
    run(rig)


def forget_its_name(rig: Rig) -> None:
    known = registry._jobs.pop("flow.step")
    try:
        run(rig)
    finally:
        registry._jobs["flow.step"] = known


class End(Struct, frozen=True):
    """What ends, what is done to it, and what becomes of its chain and its batch."""

    job: Pending[None]
    how: Callable[[Rig], None]
    chain: Literal["succeeded", "failed", "cancelled"]
    member: Literal["done", "failed", "dropped"]


ENDS = {
    "the handler returned": End(step.bind("x"), run, "succeeded", "done"),
    "deleted by hand": End(says.bind("delete"), run, "succeeded", "done"),
    "skipped by a middleware": End(skipped.bind(), run, "succeeded", "done"),
    "released by hand": End(says.bind("release"), run, "succeeded", "done"),
    "released by a middleware": End(released.bind(), put_back_once, "succeeded", "done"),
    "an exception and a retry": End(flaky.bind(), run, "succeeded", "done"),
    "an exception, and spent": End(broken.bind(), run, "failed", "failed"),
    "failed by hand": End(says.bind("fail"), run, "failed", "failed"),
    "failed by a middleware": End(hopeless.bind(), run, "failed", "failed"),
    "spent at the start": End(step.using(retry_until=-1).bind("x"), run, "failed", "failed"),
    "quarantined": End(deadly.bind(), die_with_it, "failed", "failed"),
    "an unknown name": End(step.bind("x"), forget_its_name, "failed", "failed"),
    "cancelled": End(step.bind("x"), cancel, "cancelled", "dropped"),
    "expired": End(step.using(expires=-1).bind("x"), run, "cancelled", "dropped"),
    "superseded": End(single.bind(), replace, "cancelled", "dropped"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_what_becomes_of_a_chain(rig: Rig, end: End) -> None:
    if not can(rig, end.how):
        return
    handle = chain(end.job, called.bind("next")).catch(called.bind("catch")).dispatch()
    end.how(rig)
    assert handle.state() == end.chain
    assert log.count("next") == (end.chain == "succeeded")
    caught = [line for line in log if line.startswith("catch because of")]
    assert len(caught) == (end.chain == "failed")


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_what_becomes_of_a_member(rig: Rig, end: End) -> None:
    if not can(rig, end.how):
        return
    pushed = batch([end.job, says.bind("return")]).allow_failures()
    pushed = pushed.then(called.bind("then")).catch(called.bind("catch"))
    found = pushed.finally_(called.bind("finally")).dispatch()
    end.how(rig)
    found.refresh()
    assert (found.total, found.pending) == (2, 0)
    assert getattr(found, end.member) == (2 if end.member == "done" else 1)
    told = [line.split()[0] for line in log if line.endswith(")")]
    assert told.count("finally") == 1
    assert told.count("then") == (end.member == "done")
    assert told.count("catch") == (end.member == "failed")
