"""Time-outs of running jobs: what can be stopped is, what cannot keeps its lease until it ends."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from packhorse import JobContext, JobTimedOut, Packhorse, events, job
from packhorse.function_job import FunctionJob
from packhorse.testing import Recorder, eventually
from tests.integration.conftest import MEMORY, SQLITE, MakeApp
from tests.integration.journal import journal
from tests.integration.working import becomes_empty, working

pytestmark = pytest.mark.parametrize("url", [MEMORY, SQLITE], indirect=True)

NoArguments = FunctionJob[[], Any, Any]

TIMEOUT = 0.2
LATE = 5.0
"""Seconds after which something was not stopped: the keeper looks ten times a second."""


@job(timeout=TIMEOUT)
def sleeps() -> None:
    journal.note("started")
    end = time.monotonic() + LATE
    while time.monotonic() < end:
        time.sleep(0.01)
    journal.note("not stopped")


@job(timeout=TIMEOUT)
def is_busy() -> None:
    journal.note("started")
    end = time.monotonic() + LATE
    number = 0
    while time.monotonic() < end:
        number += 1
    journal.note("not stopped")


@job(timeout=TIMEOUT)
def tidies_up() -> None:
    try:
        time.sleep(0.01)
        while True:
            time.sleep(0.01)
    finally:
        journal.note("tidied up")


@job(timeout=TIMEOUT)
async def sleeps_on_the_loop() -> None:
    journal.note("started")
    await asyncio.sleep(LATE)
    journal.note("not stopped")


@job(timeout=TIMEOUT)
def catches_everything() -> None:
    with suppress(BaseException):
        while True:
            time.sleep(0.01)
    journal.note("caught")


@job(timeout=TIMEOUT)
async def catches_everything_on_the_loop() -> None:
    with suppress(BaseException):
        await asyncio.sleep(LATE)
    journal.note("caught")


@job(timeout=TIMEOUT, tries=5, fail_on_timeout=True)
async def fails_on_timeout_on_the_loop() -> None:
    await asyncio.sleep(LATE)


@job(timeout=TIMEOUT, tries=5, fail_on_timeout=True)
def answers_with_an_error() -> None:
    try:
        while True:
            time.sleep(0.01)
    except BaseException as error:
        raise OSError("rolled back") from error


@job(timeout=TIMEOUT, tries=2, backoff=0)
def times_out_once(ctx: JobContext) -> None:
    journal.note(f"attempt {ctx.attempt}")
    while ctx.attempt == 1:
        time.sleep(0.01)


@job(timeout=TIMEOUT, soft_timeout=False)
def is_left_alone() -> None:
    time.sleep(TIMEOUT * 3)
    journal.note("ended by itself")


@job(timeout=0)
def has_no_timeout() -> None:
    time.sleep(TIMEOUT * 2)
    journal.note("ended by itself")


@job(timeout=TIMEOUT)
def reads(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        journal.note("reading")
        connection.recv(1)  # the time-out strikes when this returns
    journal.note("not stopped")


@job(timeout=0.1)
def just_in_time(number: int) -> None:
    time.sleep(0.1 + number % 7 * 0.005)


@job(timeout=30)
def quick(number: int) -> None:
    journal.note(f"quick {number}")


def the_time_out(app: Packhorse) -> None:
    (found,) = app.failed.list()
    (failure,) = found.failures
    assert failure.type == "packhorse.errors.JobTimedOut"
    assert "timeout of 0.2 s" in failure.message


@pytest.mark.parametrize(
    "one", [sleeps, is_busy, sleeps_on_the_loop], ids=["sleeps", "is busy", "async"]
)
def test_a_job_is_stopped_at_its_time_out(
    app: Packhorse, heard: Recorder, one: NoArguments
) -> None:
    one.dispatch()
    quick.dispatch(1)
    started = time.monotonic()
    with working(app, concurrency=1):
        becomes_empty(app)
    assert time.monotonic() - started < LATE
    assert sorted(journal.notes) == ["quick 1", "started"]
    the_time_out(app)
    (told,) = heard.of(events.JobTimedOut)
    assert told.timeout == TIMEOUT
    raised = [event.error for event in heard.of(events.JobExceptionOccurred)]
    assert [type(error) for error in raised] == [JobTimedOut]


def test_a_job_may_tidy_up(app: Packhorse) -> None:
    tidies_up.dispatch()
    with working(app):
        becomes_empty(app)
    assert journal.notes == ["tidied up"]
    the_time_out(app)


@pytest.mark.parametrize("one", [catches_everything, catches_everything_on_the_loop])
def test_a_job_that_catches_everything_is_asked_once(app: Packhorse, one: NoArguments) -> None:
    one.dispatch()
    quick.dispatch(1)
    with working(app, concurrency=1):
        becomes_empty(app)
    assert sorted(journal.notes) == ["caught", "quick 1"]
    assert app.failed.count() == 0


def test_a_time_out_is_a_failure_that_is_tried_again(app: Packhorse) -> None:
    times_out_once.dispatch()
    with working(app):
        becomes_empty(app)
    assert journal.notes == ["attempt 1", "attempt 2"]
    assert app.failed.count() == 0


@pytest.mark.parametrize("one", [fails_on_timeout_on_the_loop, answers_with_an_error])
def test_fail_on_timeout_ends_a_job_whatever_it_makes_of_it(
    app: Packhorse, one: NoArguments
) -> None:
    one.dispatch()
    with working(app):
        becomes_empty(app)
    (found,) = app.failed.list()
    assert found.reason == "timed out"
    assert len(found.failures) == 1


@pytest.mark.parametrize("one", [is_left_alone, has_no_timeout])
def test_a_job_without_a_soft_time_out_is_left_alone(app: Packhorse, one: NoArguments) -> None:
    one.dispatch()
    with working(app):
        becomes_empty(app)
    assert journal.notes == ["ended by itself"]
    assert app.failed.count() == 0


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_what_cannot_be_stopped_keeps_its_lease(make_app: MakeApp, listener: socket.socket) -> None:
    app = make_app(lease=0.6)
    reads.dispatch(listener.getsockname()[1])
    with working(app), working(app):
        connection, _ = listener.accept()
        with connection:
            eventually(lambda: journal.count("reading") == 1)
            end = time.monotonic() + 2.0  # over three leases and ten time-outs
            while time.monotonic() < end:
                assert app.queue().counts().reserved == 1
                assert journal.count("reading") == 1
                time.sleep(0.02)
            connection.send(b"!")
            becomes_empty(app)
    assert journal.notes == ["reading"]
    the_time_out(app)


@pytest.mark.slow
def test_a_time_out_never_hits_the_next_job(app: Packhorse) -> None:
    """Jobs that end when their time-out strikes, and quick ones behind them on the same threads."""
    for number in range(60):
        just_in_time.dispatch(number)
        quick.dispatch(number)
    with working(app, concurrency=4):
        becomes_empty(app, within=20)
    assert {one.job for one in app.failed.list()} <= {just_in_time.definition.name}
    assert len(journal.notes) == 60
    assert threading.active_count() < 50
