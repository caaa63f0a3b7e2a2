"""Dispatching from everywhere at once: forked children, many threads, event loops."""

import asyncio
import multiprocessing
import threading
from uuid import UUID

import pytest

from packhorse import Packhorse, job
from packhorse.driver.message import Counts
from packhorse.testing import FaultyDriver, Running, eventually
from tests.forking import ended_well, in_child
from tests.integration.conftest import MEMORY, SQLITE
from tests.integration.journal import journal
from tests.integration.working import becomes_empty, drain, working
from tests.integration.wrapping import wrap

sqlite = pytest.mark.parametrize("url", [SQLITE], indirect=True)
memory = pytest.mark.parametrize("url", [MEMORY], indirect=True)
both = pytest.mark.parametrize("url", [MEMORY, SQLITE], indirect=True)


@job
def notes(number: int) -> None:
    journal.note(f"ran {number}")


@job
async def passes_on(number: int) -> None:
    await notes.dispatch_async(number)


@job
def passes_on_from_a_thread(number: int) -> None:
    notes.dispatch(number)


def ran() -> list[int]:
    return sorted(int(note.removeprefix("ran ")) for note in journal.notes)


@sqlite
def test_a_forked_child_sends_to_the_file_and_so_does_its_parent(app: Packhorse) -> None:
    notes.dispatch(0)

    def work() -> None:
        for number in range(1, 50):
            notes.dispatch(number)
        assert app.queue().size() >= 50

    assert ended_well(in_child(work))
    notes.dispatch(50)
    drain(app)
    assert ran() == list(range(51))


@sqlite
def test_forking_while_a_worker_and_threads_are_busy(app: Packhorse) -> None:
    stop = threading.Event()
    sent: list[UUID] = []

    def send() -> None:
        while not stop.is_set():
            sent.append(notes.dispatch(len(sent)).id)

    with working(app, concurrency=2):
        sending = Running(send)
        for _ in range(20):
            assert ended_well(in_child(lambda: [notes.dispatch(-1) for _ in range(5)]))
        stop.set()
        sending.answer()
        becomes_empty(app)
    assert journal.count("ran -1") == 100
    assert len(journal.notes) == 100 + len(sent)
    assert app.failed.count() == 0


@sqlite
def test_children_of_children(app: Packhorse) -> None:
    def work() -> None:
        notes.dispatch(1)
        assert ended_well(in_child(lambda: notes.dispatch(2)))
        notes.dispatch(3)

    assert ended_well(in_child(work))
    drain(app)
    assert ran() == [1, 2, 3]


@sqlite
def test_a_forked_child_may_be_a_worker(app: Packhorse) -> None:
    for number in range(20):
        notes.dispatch(number)

    def work() -> None:
        report = app.worker(concurrency=2).run(max_jobs=10)
        assert (report.jobs, len(journal.notes)) == (10, 10)

    assert ended_well(in_child(work))
    assert drain(app).jobs == 10
    assert app.queue().size() == 0


@memory
def test_what_a_forked_child_sends_to_memory_is_its_own(app: Packhorse) -> None:
    notes.dispatch(0)

    def work() -> None:
        assert app.queue().size() == 0
        notes.dispatch(1)
        report = app.worker().run(stop_when_empty=True)
        assert report.jobs == 1
        assert journal.notes == ["ran 1"]

    with working(app):
        becomes_empty(app)
        journal.clear()
        notes.using(delay=60).dispatch(2)
        assert ended_well(in_child(work))
        assert app.queue().counts() == Counts(delayed=1)
        notes.dispatch(3)
        becomes_empty_but_for_the_delayed(app)
    assert journal.notes == ["ran 3"]


def becomes_empty_but_for_the_delayed(app: Packhorse) -> None:
    eventually(lambda: app.queue().counts() == Counts(delayed=1))


@sqlite
def test_multiprocessing_by_fork(app: Packhorse) -> None:
    notes.dispatch(0)
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=notes.dispatch, args=(number,)) for number in range(1, 9)]
    for child in children:
        child.start()
    for child in children:
        child.join(20)
    assert [child.exitcode for child in children] == [0] * 8
    drain(app)
    assert ran() == list(range(9))


@both
def test_many_threads_at_once(app: Packhorse) -> None:
    together = threading.Barrier(16)

    def send(first: int) -> None:
        together.wait(10)
        for number in range(first, first + 25):
            notes.dispatch(number)

    with working(app, concurrency=4):
        sending = [Running(send, 25 * place) for place in range(16)]
        for one in sending:
            one.answer()
        becomes_empty(app)
    assert ran() == list(range(400))


@both
def test_an_event_loop_and_threads_at_once(app: Packhorse) -> None:
    wrap(app, FaultyDriver).delay("send", 0.2, times=6)

    async def send() -> float:
        ticks, done = 0, asyncio.Event()

        async def tick() -> None:
            nonlocal ticks
            while not done.is_set():
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        await asyncio.gather(*(notes.dispatch_async(number) for number in range(100)))
        done.set()
        await ticking
        return ticks

    sending = Running(lambda: [notes.dispatch(number) for number in range(100, 200)])
    assert asyncio.run(send()) > 100  # the loop went on while the broker took its time
    sending.answer()
    drain(app)
    assert ran() == list(range(200))


@both
def test_jobs_that_send_jobs(app: Packhorse) -> None:
    for number in range(50):
        passes_on.dispatch(number)
        passes_on_from_a_thread.dispatch(50 + number)
    drain(app)
    assert ran() == list(range(100))


@both
def test_a_worker_sends_through_its_own_app(app: Packhorse) -> None:
    with Packhorse("memory://") as other:
        passes_on.dispatch(1)
        assert other.queue().size() == 1
        app.dispatch(passes_on.bind(2))
        app.dispatch(passes_on_from_a_thread.bind(3))
        drain(app)
        assert other.queue().size() == 1
    assert ran() == [2, 3]
