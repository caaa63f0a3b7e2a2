"""Workers that share: nobody hoards, nobody waits for a slow neighbour, the preferred queue goes first."""

import threading
import time

import pytest

from packhorse import Packhorse, events, job
from packhorse.testing import Recorder, Running, eventually
from tests.integration.conftest import MEMORY, SQLITE
from tests.integration.journal import journal
from tests.integration.working import becomes_empty, drain, working

both = pytest.mark.parametrize("url", [MEMORY, SQLITE], indirect=True)

SLOW = 0.3
"""Seconds of a slow job: what takes a second would share out the same way, but later."""

waits: list[float] = []


@job
def quick(number: int) -> None:
    journal.note(f"quick {number}")


@job
def slow(number: int) -> None:
    journal.note(f"slow {threading.current_thread().name} {number}")
    time.sleep(SLOW)


@job
def timed(sent: float) -> None:
    waits.append(time.monotonic() - sent)


@job
def takes(seconds: float) -> None:
    journal.note(f"takes {seconds:g}")
    time.sleep(seconds)


def share(app: Packhorse, heard: Recorder) -> tuple[float, list[int]]:
    """Seconds that two workers needed for twenty slow jobs, and how many each of them did."""
    heard.clear()
    started = time.monotonic()
    app.push_many([slow.bind(number) for number in range(20)])
    becomes_empty(app)
    took = time.monotonic() - started
    eventually(lambda: len(heard.of(events.JobProcessed)) == 20)
    by = [event.worker for event in heard.of(events.JobProcessed)]
    return took, [by.count(worker) for worker in set(by)]


@pytest.mark.slow
@both
def test_two_workers_share_twenty_slow_jobs(app: Packhorse, heard: Recorder) -> None:
    with working(app, concurrency=2), working(app, concurrency=2):
        took, shares = share(app, heard)
    assert len(shares) == 2
    assert min(shares) >= 8
    assert took < 20 * SLOW / 4 * 1.5


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
            took, shares = share(app, heard)
    assert len(shares) == 2
    assert min(shares) >= 5
    assert took < 20 * SLOW / 2 * 0.9  # alone the first one would need this


@pytest.mark.slow
@both
def test_one_slow_job_in_a_hundred_delays_no_other(app: Packhorse) -> None:
    waits.clear()
    with working(app, concurrency=8):
        for number in range(500):
            if number % 100 == 0:
                takes.dispatch(1.0)
            timed.dispatch(time.monotonic())
            time.sleep(0.004)
        becomes_empty(app)
    assert len(waits) == 500
    p99 = sorted(waits)[495]
    assert p99 < 0.25 * 1.0


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
        before = len(journal.notes)
        app.queue("high").push(quick.bind(1))
        eventually(lambda: journal.count("quick 1"))
        place = journal.notes.index("quick 1")
        becomes_empty(app, "low")
    assert place - before <= 6  # one that runs, and what 50 ms are worth


@both
def test_a_paused_queue_lets_running_jobs_finish_and_starts_none(
    app: Packhorse, heard: Recorder
) -> None:
    for _ in range(12):
        takes.dispatch(0.1)
    app.queue("other").push(quick.bind(1))
    app.queue("other").pause()
    with working(app, ["default", "other"], concurrency=2):
        eventually(lambda: len(journal.notes) >= 4)
        app.queue().pause()
        eventually(lambda: app.queue().counts().reserved == 0)
        started = len(journal.notes)
        assert started <= 8
        time.sleep(0.3)
        assert len(journal.notes) == started
        assert app.queue().counts().ready == 12 - started
        app.queue("other").resume()
        eventually(lambda: journal.count("quick 1"))
        assert len(journal.notes) == started + 1
        app.queue().resume()
        becomes_empty(app)
    assert journal.count("takes 0.1") == 12
    paused = [event.queue for event in heard.of(events.WorkerQueuePaused)]
    resumed = [event.queue for event in heard.of(events.WorkerQueueResumed)]
    assert sorted(paused) == ["default", "other"]
    assert sorted(resumed) == ["default", "other"]


@both
def test_a_pause_may_end_by_itself(app: Packhorse) -> None:
    quick.dispatch(1)
    app.queue().pause(for_=0.5)
    started = time.monotonic()
    with working(app):
        becomes_empty(app)
    assert 0.45 < time.monotonic() - started < 2.0


@both
def test_a_pause_that_begins_while_a_worker_waits(app: Packhorse) -> None:
    with working(app):
        quick.dispatch(0)
        becomes_empty(app)
        app.queue().pause()
        quick.dispatch(1)
        time.sleep(0.2)
        assert journal.notes == ["quick 0"]
        running = Running(app.queue().resume)
        becomes_empty(app)
        running.answer()
    assert journal.notes == ["quick 0", "quick 1"]
