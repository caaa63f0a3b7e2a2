"""`expires`: what has not started by then never does, wherever it waits; on every broker."""

import time
from datetime import datetime, timedelta

import pytest

from packhorse import JobCancelled, JobContext, Packhorse, batch, chain, events, job
from packhorse.testing import Recorder, eventually
from tests.integration.journal import journal
from tests.integration.working import becomes_empty, drain, working

SOON = 0.3
"""Seconds in which a job expires."""


@job
def notes(text: str) -> None:
    journal.note(text)


@job
def takes_long() -> None:
    time.sleep(2 * SOON)
    journal.note("took long")


@job(tries=3, backoff=1)
def fails(ctx: JobContext) -> None:
    journal.note("tried")
    raise ValueError("not today")


@job(keep_result=60)
def answers() -> int:
    return 42


def results(heard: Recorder) -> list[str]:
    return sorted(event.result for event in heard.of(events.JobProcessed))


def test_it_waited_too_long_for_a_worker(app: Packhorse, heard: Recorder) -> None:
    notes.using(expires=SOON).dispatch("late")
    notes.using(expires=timedelta(hours=1)).dispatch("in time")
    notes.using(expires=datetime.now() + timedelta(hours=1)).dispatch("in time too")
    time.sleep(SOON)
    drain(app)
    assert sorted(journal.notes) == ["in time", "in time too"]
    assert results(heard) == ["done", "done", "expired"]
    assert app.failed.count() == 0


def test_its_delay_is_longer(app: Packhorse, heard: Recorder) -> None:
    if app.connection().driver.capabilities.max_delay == 0.0:
        return  # what is delayed there is refused
    notes.using(delay=1, expires=SOON).dispatch("late")
    with working(app):
        becomes_empty(app)
    assert (journal.notes, results(heard)) == ([], ["expired"])


def test_what_has_started_goes_on(app: Packhorse, heard: Recorder) -> None:
    takes_long.using(expires=SOON).dispatch()
    with working(app):
        becomes_empty(app)
    assert (journal.notes, results(heard)) == (["took long"], ["done"])


def test_it_expires_between_two_attempts(app: Packhorse, heard: Recorder) -> None:
    fails.using(expires=SOON).dispatch()
    with working(app):
        becomes_empty(app)
    assert (journal.notes, results(heard)) == (["tried"], ["expired"])
    assert app.failed.count() == 0


def test_who_waits_for_its_result_is_told(app: Packhorse) -> None:
    handle = answers.using(expires=SOON).dispatch()
    time.sleep(SOON)
    with working(app), pytest.raises(JobCancelled, match="was not started before it expired"):
        handle.result(timeout=10)


def test_a_chain_ends_with_it(app: Packhorse) -> None:
    links = chain(notes.using(expires=-1).bind("first"), notes.bind("second")).dispatch()
    drain(app)
    assert journal.notes == []
    assert links.state() == "cancelled"


def test_a_batch_counts_it_as_dropped(app: Packhorse) -> None:
    group = batch([notes.using(expires=-1).bind("first"), notes.bind("second")]).dispatch()
    with working(app):
        eventually(lambda: group.refresh().finished)
    assert journal.notes == ["second"]
    assert (group.total, group.done, group.dropped, group.failed) == (2, 1, 1, 0)
