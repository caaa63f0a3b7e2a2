"""Workers that share: nobody hoards, nobody waits for a slow neighbour, the preferred queue goes first."""

import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from packhorse import Packhorse, events, job
from packhorse.testing import Recorder, eventually
from tests.integration.conftest import MEMORY, SQLITE
from tests.integration.journal import journal
from tests.integration.working import becomes_empty, drain, working

both = pytest.mark.parametrize("url", [MEMORY, SQLITE], indirect=True)

SLOW = 0.3
"""Seconds of a slow job: what takes a second would share out the same way, but later."""

gate = threading.Event()
"""Holds up the jobs that wait for it; each test begins with a closed one."""


@pytest.fixture(autouse=True)
def _closed_gate() -> Iterator[None]:
    gate.clear()
    yield
    gate.set()


@job
def quick(number: int) -> None:
    journal.note(f"quick {number}")


@job
def slow(number: int) -> None:
    time.sleep(SLOW)


@job
def waits(number: int) -> None:
    journal.note(f"waits {number}")
    gate.wait(20)


@job
def takes(seconds: float) -> None:
    journal.note(f"takes {seconds:g}")
    time.sleep(seconds)


def shares_of_two(app: Packhorse, heard: Recorder) -> list[int]:
    """How many of twenty slow jobs each of two workers did."""

    def done() -> list[events.JobProcessed]:
        return [e for e in heard.of(events.JobProcessed) if e.job == slow.definition.name]

    eventually(lambda: len(heard.of(events.WorkerStarting)) == 2)
    app.push_many([slow.bind(number) for number in range(20)])
    eventually(lambda: len(done()) == 20, within=20)
    return list(Counter(event.worker for event in done()).values())


@pytest.mark.slow
@both
def test_two_workers_share_twenty_slow_jobs(app: Packhorse, heard: Recorder) -> None:
    with working(app, concurrency=2), working(app, concurrency=2):
        shares = shares_of_two(app, heard)
    assert len(shares) == 2
    assert min(shares) >= 8


@pytest.mark.slow
@both
def test_a_worker_that_thinks_jobs_are_quick_does_not_hoard(
    app: Packhorse, heard: Recorder
) -> None:
    """It takes all twenty for quick ones, and gives them back as soon as they are not."""
    with working(app, concurrency=2):
        for number in range(500):
            quick.dispatch(number)
        becomes_empty(app)
        with working(app, concurrency=2):
            shares = shares_of_two(app, heard)
    assert len(shares) == 2
    assert min(shares) >= 5


@both
def test_one_slow_job_in_a_hundred_holds_up_no_other(app: Packhorse) -> None:
    """The slow ones are not done before all others are."""
    app.push_many([(waits if number % 100 == 0 else quick).bind(number) for number in range(500)])
    with working(app, concurrency=8):
        eventually(lambda: len(journal.notes) == 500)
        eventually(lambda: app.queue().size() == 5)
        gate.set()
        becomes_empty(app)


@both
def test_queues_are_emptied_in_the_order_of_preference(app: Packhorse) -> None:
    for number in range(30):
        app.queue("low").push(quick.bind(number))
        app.queue("middle").push(quick.bind(100 + number))
        app.queue("high").push(quick.bind(200 + number))
    drain(app, ["high", "middle", "low"], concurrency=1)
    assert journal.notes == [
        f"quick {base + number}" for base in (200, 100, 0) for number in range(30)
    ]


@both
def test_what_is_preferred_overtakes_what_waits(app: Packhorse) -> None:
    for _ in range(40):
        app.queue("low").push(takes.bind(0.02))
    with working(app, ["high", "low"], concurrency=1):
        eventually(lambda: len(journal.notes) >= 10)
        app.queue("high").push(quick.bind(1))
        before = len(journal.notes)
        eventually(lambda: journal.count("quick 1"))
        place = journal.notes.index("quick 1")
        becomes_empty(app, "low")
    assert place - before <= 6  # one that runs, and what 50 ms are worth


@both
def test_a_paused_queue_lets_running_jobs_finish_and_starts_none(
    app: Packhorse, heard: Recorder
) -> None:
    for number in range(12):
        waits.dispatch(number)
    app.queue("other").push(quick.bind(1))
    app.queue("other").pause()
    with working(app, ["default", "other"], concurrency=2):
        eventually(lambda: len(journal.notes) == 2)
        app.queue().pause()
        gate.set()
        eventually(lambda: app.queue().counts().reserved == 0)
        assert app.queue().counts().ready == 10
        app.queue("other").resume()  # when this one is taken, the worker has looked at both
        eventually(lambda: journal.count("quick 1"))
        assert len(journal.notes) == 3
        app.queue().resume()
        becomes_empty(app)
    assert len(journal.notes) == 13
    paused = [event.queue for event in heard.of(events.WorkerQueuePaused)]
    resumed = [event.queue for event in heard.of(events.WorkerQueueResumed)]
    assert sorted(paused) == ["default", "other"]
    assert sorted(resumed) == ["default", "other"]


@both
def test_a_pause_may_end_by_itself(app: Packhorse) -> None:
    quick.dispatch(1)
    started = time.monotonic()
    app.queue().pause(for_=0.5)
    with working(app):
        becomes_empty(app, within=4)  # sooner than the worker would look of itself
    assert time.monotonic() - started > 0.45


@both
def test_a_pause_that_begins_while_a_worker_waits(app: Packhorse) -> None:
    with working(app, ["default", "other"]):
        quick.dispatch(0)
        becomes_empty(app)
        app.queue().pause()
        quick.dispatch(1)
        app.queue("other").push(quick.bind(2))
        eventually(lambda: journal.count("quick 2"))
        assert journal.notes == ["quick 0", "quick 2"]
        app.queue().resume()
        becomes_empty(app)
    assert journal.notes == ["quick 0", "quick 2", "quick 1"]
