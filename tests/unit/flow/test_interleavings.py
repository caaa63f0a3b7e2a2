"""A batch and a chain, whatever happens in between: counted right, called back once, never forked.

Two workers in slow motion reserve, run, settle, sweep and die; replies are lost, time passes, members
are added, retried and cancelled. At the end everything is worked off, and the promises are checked.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from packhorse import JobContext, batch, chain, job
from packhorse.driver.abilities import Cancels, Lists
from packhorse.driver.message import State
from packhorse.flow import ledger
from packhorse.flow.chains import link_id
from packhorse.ids import derived_id
from packhorse.testing.simulation.world import Crash
from packhorse.wire.seal import open_envelope
from tests.unit.flow.fates import Fate
from tests.unit.flow.rig import Rig

broken: set[int] = set()
ran: list[int] = []


class Broken(Exception):
    """What a broken job raises."""


@job(name="interleavings.work", max_losses=1000)
def work(number: int) -> None:
    ran.append(number)
    if number in broken:
        raise Broken


@job(name="interleavings.flaky", max_losses=1000, tries=2)
def flaky(ctx: JobContext, number: int) -> None:
    ran.append(number)
    if ctx.attempt == 1:
        raise Broken


@job(name="interleavings.called", max_losses=1000)
def called(ctx: JobContext, label: str) -> None:
    assert ctx.batch is not None or ctx.cause is not None


SHAPES = ("one", "broken", "flaky", "chain", "broken chain", "grown chain", "batch in chain")
FATES: list[Fate | None] = [None, None, "refused", "reply lost", "crash before", "crash after"]

shapes = st.lists(st.sampled_from(SHAPES), max_size=8)
fates = st.tuples(st.integers(0, 7), st.sampled_from(FATES))
workers = st.integers(0, 1)

EXAMPLES = int(os.environ.get("PACKHORSE_EXAMPLES", "40"))
"""How many histories of each broker; a long hunt takes more."""


@job(name="interleavings.grows", max_losses=1000)
def grows(ctx: JobContext, number: int) -> None:
    ran.append(number)
    assert ctx.chain is not None
    ctx.chain.append(work.bind(number + 1), work.bind(number + 2))


class Interleavings(RuleBasedStateMachine):
    """The rules; a subclass says which broker."""

    kind: ClassVar[str] = "memory"

    def __init__(self) -> None:
        super().__init__()
        broken.clear()
        ran.clear()
        self.folder = Path(tempfile.mkdtemp()) if self.kind == "sqlite" else None
        self.rig = Rig(self.kind, self.folder)
        self.workers = [self.rig.worker(), self.rig.worker()]
        self.numbers = 0
        self.members = 0
        self.cancelled = False
        self.chain_cancelled = False
        self.dropped: set[UUID] = set()
        self.retried = 0

    def number(self) -> int:
        self.numbers += 10
        return self.numbers

    def member(self, shape: str) -> object:
        number = self.number()
        self.members += 1
        if shape == "flaky":
            return flaky.bind(number)
        if shape == "broken":
            broken.add(number)
        if "chain" not in shape:
            return work.bind(number)
        if shape == "grown chain":
            return (
                [grows.bind(number)] if number % 20 else [work.bind(number), grows.bind(number + 1)]
            )
        if shape == "batch in chain":
            return [work.bind(number), batch([work.bind(number + 1)]), work.bind(number + 2)]
        if shape == "broken chain":
            broken.add(number + 1)
        return [work.bind(number + place) for place in range(3)]

    @initialize(
        some=shapes,
        allow=st.booleans(),
        length=st.sampled_from([1, 3, 20]),
        breaks=st.none() | st.integers(0, 19),
    )
    def dispatch(self, some: list[str], allow: bool, length: int, breaks: int | None) -> None:
        self.allow = allow
        members = [self.member(shape) for shape in some]
        pushed = batch(members).then(called.bind("then")).catch(called.bind("catch"))  # type: ignore[arg-type]
        self.batch = pushed.finally_(called.bind("finally")).allow_failures(allow).dispatch()
        self.first = 1000
        if breaks is not None:
            broken.add(self.first + breaks)
        self.length = length
        links = [work.bind(self.first + place) for place in range(length)]
        self.chain = chain(*links).catch(called.bind("caught")).dispatch()

    def die(self, worker: int) -> None:
        self.workers[worker] = self.rig.worker()

    @rule(worker=workers, fate=fates)
    def fetch(self, worker: int, fate: tuple[int, Fate | None]) -> None:
        try:
            self.workers[worker].fetch(*fate)
        except Crash:
            self.die(worker)

    @rule(worker=workers)
    def run(self, worker: int) -> None:
        self.workers[worker].run()

    @rule(worker=workers, fate=fates)
    def settle(self, worker: int, fate: tuple[int, Fate | None]) -> None:
        try:
            self.workers[worker].settle(*fate)
        except Crash:
            self.die(worker)

    @rule(worker=workers, fate=fates)
    def work_on(self, worker: int, fate: tuple[int, Fate | None]) -> None:
        """All in one, so that much gets done."""
        try:
            self.workers[worker].fetch()
            while self.workers[worker].run():
                pass
            self.workers[worker].settle(*fate)
        except Crash:
            self.die(worker)

    @rule(worker=workers, fate=fates)
    def sweep(self, worker: int, fate: tuple[int, Fate | None]) -> None:
        try:
            self.workers[worker].sweep(*fate)
        except Crash:
            self.die(worker)

    @rule(seconds=st.sampled_from([1.0, 20.0, 31.0]))
    def pass_time(self, seconds: float) -> None:
        self.rig.clock.advance(seconds)

    @rule(worker=workers)
    def crash(self, worker: int) -> None:
        self.die(worker)

    @rule(heal=st.booleans())
    def retry(self, heal: bool) -> None:
        if heal:
            broken.clear()
        self.retried += self.rig.app.batches.retry(self.batch.id)

    @rule(heal=st.booleans())
    def retry_the_chain(self, heal: bool) -> None:
        if heal:
            broken.clear()
        dead = {one.id for one in self.rig.app.failed.list()}
        self.retried += self.rig.app.failed.retry([id for id in self.links() if id in dead])

    @precondition(lambda self: not self.cancelled)
    @rule()
    def cancel(self) -> None:
        self.cancelled = self.batch.cancel() or self.cancelled

    @precondition(lambda self: not self.chain_cancelled)
    @rule()
    def cancel_the_chain(self) -> None:
        self.chain_cancelled = self.chain.cancel() or self.chain_cancelled

    @rule(which=st.integers(0, 9))
    def cancel_a_job(self, which: int) -> None:
        """A member or a link that waits or runs, where the broker can."""
        driver: object = self.rig.app.connection().driver
        if not isinstance(driver, Cancels) or not isinstance(driver, Lists):
            return
        states: list[State] = ["waiting", "delayed", "leased"]
        there = [one.message for state in states for one in driver.list("default", state, 99)]
        some = [one.id for one in there if open_envelope(one.body).job != called.definition.name]
        if which < len(some):
            driver.cancel([some[which]])
            self.dropped.add(some[which])

    @rule(some=st.lists(st.sampled_from(SHAPES), min_size=1, max_size=2))
    def add(self, some: list[str]) -> None:
        if not self.batch.refresh().finished and self.members + len(some) <= 8:
            self.batch.add([self.member(shape) for shape in some])  # type: ignore[misc]

    def links(self) -> list[UUID]:
        return [link_id(self.chain.id, place) for place in range(self.length)]

    def teardown(self) -> None:
        try:
            self.check()
        finally:
            self.rig.close()
            if self.folder is not None:
                shutil.rmtree(self.folder)

    def check(self) -> None:
        if not hasattr(self, "chain"):
            return  # hypothesis looks at a machine that did nothing
        self.rig.drain(self.rig.worker())
        dead = {one.id for one in self.rig.app.failed.list()}
        self.check_batch(dead)
        self.check_callbacks()
        self.check_chain(dead)

    def check_batch(self, dead: set[UUID]) -> None:
        numbers = self.batch.refresh().numbers
        assert numbers.pending == 0, numbers
        assert numbers.finished_at is not None
        assert numbers.total == self.members
        store = self.rig.app.connection().store
        parts = ("failed", "dropped")
        sets = store.read([ledger.batch_key(self.batch.id, part) for part in parts])
        failed, dropped = (one if isinstance(one, frozenset) else frozenset() for one in sets)
        assert not failed & dropped
        for member in failed if not self.doubled() else ():
            ids = ledger.job_ids(member)
            inner = {ledger.inner_batch(id) for id in ids}
            assert dead & set(ids) or any(self.rig.app.batches.find(one) for one in inner)
        if not self.cancelled and self.allow:
            assert len(dropped) <= len(self.dropped)
        if not failed and not dropped and not numbers.cancelled:
            assert numbers.state == "succeeded"

    def check_callbacks(self) -> None:
        state = self.batch.state
        effects = self.rig.effects
        times = {
            label: effects[derived_id(self.batch.id, f"{label} 0")]
            for label in ("then", "catch", "finally")
        }
        if self.doubled():
            times = {label: min(number, 1) for label, number in times.items()}
        assert times["finally"] == 1
        assert times["then"] == (state == "succeeded")
        assert times["catch"] <= 1
        if self.batch.failed:
            assert times["catch"] == 1

    def doubled(self) -> bool:
        """Whether there may be two of a message, and both may run.

        One was retried that the broker has not forgotten, or one was put back by a copy, and the
        reply was lost.
        """
        driver = self.rig.app.connection().driver
        if driver.capabilities.known_ids:
            return False
        return self.retried > 0 or driver.capabilities.rewrite == "resend"

    def check_chain(self, dead: set[UUID]) -> None:
        times = [self.rig.effects[id] for id in self.links()]
        if not self.rig.app.connection().driver.capabilities.known_ids:
            times[0] = min(times[0], 1)  # nobody has sent it twice, but the broker may double it
        if not self.doubled():
            assert max(times) <= 1, "a link took effect twice"
        done = [min(each, 1) for each in times]
        assert done == sorted(done, reverse=True), "a link ran before the one before it"
        here = [place for place, id in enumerate(self.links()) if id in dead]
        assert len(here) <= 1
        state = self.chain.state()
        assert (state == "failed") == bool(here)
        if not self.chain_cancelled and self.dropped.isdisjoint(self.links()):
            assert state in ("failed", "succeeded")
            assert sum(done) == (here[0] if here else self.length)
        assert (state == "succeeded") == (sum(done) == self.length)
        caught = self.rig.effects[derived_id(self.chain.id, "catch 0")]
        assert self.doubled() or caught <= 1
        assert caught or not here


def machine(name: str) -> type[Interleavings]:
    return type(f"On{name.title()}", (Interleavings,), {"kind": name})


@pytest.mark.parametrize("kind", ["memory", "sqs", "sqs-fifo", "beanstalkd", "cluster"])
def test_a_batch_and_a_chain_survive_whatever_happens(kind: str) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        machine(kind),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.reuse, Phase.generate, Phase.shrink],
        ),
    )


@pytest.mark.backend("sqlite")
@pytest.mark.slow
def test_a_batch_and_a_chain_survive_whatever_happens_on_sqlite() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        machine("sqlite"),
        settings=settings(
            max_examples=15,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.reuse, Phase.generate, Phase.shrink],
        ),
    )
