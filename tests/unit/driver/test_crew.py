"""A crew: threads that run messages when they fall due, and end when there are none left."""

import contextvars
import threading
from collections.abc import Callable

import msgspec
import pytest

from packhorse.clock import SYSTEM_CLOCK
from packhorse.driver.contract import DriverSetup
from packhorse.driver.crew import Crew
from packhorse.driver.message import Counts, Message
from packhorse.testing import ManualClock, Running, eventually
from tests.unit.driver.opening import QUEUE, message
from tests.unit.driver.ran import Ran


def crew(ran: Ran, size: int = 1, clock: ManualClock | None = None) -> Crew:
    return Crew(DriverSetup(runner=lambda: ran, clock=clock or SYSTEM_CLOCK), size)


def idle(crew: Crew) -> Callable[[], bool]:
    return lambda: not crew._running


def test_one_thread_runs_in_the_order_of_sending_and_ends() -> None:
    ran = Ran()
    one = crew(ran)
    one.put([message(b"%d" % n) for n in range(100)])
    eventually(idle(one))
    assert ran.bodies == [b"%d" % n for n in range(100)]
    assert threading.current_thread() not in ran.threads
    assert not any(thread.daemon for thread in ran.threads), "the process ends after them"
    eventually(lambda: not any(thread.is_alive() for thread in ran.threads))


def test_no_more_threads_than_there_may_be_and_no_fewer_than_needed() -> None:
    ran = Ran()
    gate = threading.Event()
    ran.gates = {b"%d" % n: gate for n in range(5)}
    some = crew(ran, 3)
    for n in range(5):
        some.put([message(b"%d" % n)])
    for _ in range(3):
        assert ran.started.acquire(timeout=5)
    assert some.counts(QUEUE, 100) == Counts(ready=2, delayed=0, reserved=3)
    assert some.counts("other", 100) == Counts()
    assert some.counts(QUEUE, 1) == Counts(1, 0, 1, capped=True)
    gate.set()
    eventually(idle(some))
    assert sorted(ran.bodies) == [b"0", b"1", b"2", b"3", b"4"]
    assert len(ran.threads) == 3


def test_each_when_it_falls_due() -> None:
    ran, clock = Ran(), ManualClock()
    some = crew(ran, 2, clock)
    some.put([message(b"late", delay=60), message(b"early", delay=30), message(b"now")])
    eventually(lambda: ran.bodies == [b"now"])
    assert some.counts(QUEUE, 100).delayed == 2
    clock.advance(30)
    eventually(lambda: ran.bodies == [b"now", b"early"])
    clock.advance(30)
    eventually(idle(some))
    assert ran.bodies == [b"now", b"early", b"late"]


def test_what_falls_due_while_all_that_waited_are_busy() -> None:
    """Who waited for the moment got something else to do; another takes over."""
    ran, clock = Ran(), ManualClock()
    gate = ran.gates[b"long"] = threading.Event()
    some = crew(ran, 2, clock)
    some.put([message(b"later", delay=10)])
    some.put([message(b"long")])
    assert ran.started.acquire(timeout=5)
    clock.advance(10)
    assert ran.started.acquire(timeout=5), "it ran beside the long one"
    gate.set()
    eventually(idle(some))
    assert ran.bodies == [b"long", b"later"]


def test_what_is_to_run_next_runs_after_its_delay() -> None:
    ran, clock = Ran(), ManualClock()
    first = message(b"first")
    again = msgspec.structs.replace(first, body=b"again", delay=5.0)
    ran.after = {b"first": [again], b"again": [message(b"follows")]}
    one = crew(ran, 1, clock)
    one.put([first])
    eventually(lambda: one.counts(QUEUE, 10).delayed == 1)
    clock.advance(5)
    eventually(idle(one))
    assert ran.bodies == [b"first", b"again", b"follows"]


def test_finishing_hurries_repeats_and_buries_what_was_to_start_later() -> None:
    ran = Ran()
    first = message(b"first")
    again = msgspec.structs.replace(first, body=b"again", delay=3_600.0)
    ran.after = {b"first": [again], b"again": [message(b"follows", delay=3_600.0)]}
    gate = ran.gates[b"first"] = threading.Event()
    some = crew(ran, 2)
    ran.after[b"buried later"] = [message(b"consequence")]
    some.put([first, message(b"later", delay=3_600.0), message(b"next")])
    for _ in range(2):
        assert ran.started.acquire(timeout=5)
    finishing = Running(some.finish)
    eventually(lambda: len(ran.buried) == 1)
    assert finishing.is_alive(), "it waits for what runs"
    gate.set()
    finishing.answer()
    assert sorted(ran.bodies) == [b"again", b"consequence", b"first", b"next"]
    reason = "the process ended before it was to start"
    assert ran.buried == [(b"later", reason), (b"follows", reason)]
    assert idle(some)()
    some.put([message(b"afterwards")])
    eventually(lambda: b"afterwards" in ran.bodies)


def test_finishing_with_nothing_to_do() -> None:
    some = crew(Ran())
    some.finish()
    some.finish()


def test_jobs_that_finish_their_own_crew_wait_for_no_one_that_does_too() -> None:
    both = threading.Barrier(2)
    back: list[bytes] = []

    class Finishing(Ran):
        def run(self, message: Message, /, *, quiet: bool = False) -> list[Message]:
            both.wait(5)
            some.finish()
            back.append(message.body)
            return []

    some = crew(Finishing(), 2)
    some.put([message(), message()])
    eventually(idle(some))
    assert len(back) == 2


def test_a_thread_outlives_a_core_that_is_broken(caplog: pytest.LogCaptureFixture) -> None:
    ran = Ran()
    one = crew(ran)
    broken = message(b"broken")
    one.put([broken, message(b"next")])
    eventually(idle(one))
    assert ran.bodies == [b"broken", b"next"]
    assert str(broken.id) in caplog.text
    assert "the core itself is broken" in caplog.text


def test_once_the_process_ends_the_caller_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would wait for a thread that is started then; see also tests/integration/test_process_end."""
    ran = Ran()
    first = message(b"first")
    ran.after = {b"first": [message(b"second")]}
    one = crew(ran)
    monkeypatch.setattr("packhorse.driver.crew._process_ends", lambda: True)
    one.put([first])
    assert ran.bodies == [b"first", b"second"]
    assert ran.threads == {threading.current_thread()}
    assert idle(one)()


def test_what_one_job_sets_is_not_seen_by_the_next() -> None:
    mark = contextvars.ContextVar("mark", default="unset")
    seen: list[str] = []

    class Marking(Ran):
        def run(self, message: Message, /, *, quiet: bool = False) -> list[Message]:
            seen.append(mark.get())
            mark.set("set")
            return []

    one = crew(Marking())
    mark.set("the sender's")
    one.put([message(), message()])
    eventually(idle(one))
    assert seen == ["unset", "unset"]


def test_a_forked_child_runs_nothing_of_its_parents() -> None:
    ran = Ran()
    gate = ran.gates[b"busy"] = threading.Event()
    one = crew(ran)
    one.put([message(b"busy"), message(b"waiting"), message(b"later", delay=3_600)])
    assert ran.started.acquire(timeout=5)
    one.after_fork()  # as the child would
    assert one.counts(QUEUE, 10) == Counts()
    one.put([message(b"child's")])
    eventually(lambda: b"child's" in ran.bodies)
    gate.set()
    assert b"waiting" not in ran.bodies
