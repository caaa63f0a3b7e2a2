"""Unique jobs of which the last takes the place of those that wait, with real workers, on every broker."""

import threading
import time
from itertools import pairwise

import pytest

from packhorse import InvalidPayload, Packhorse, Unique, chain, events, job
from packhorse.testing import Recorder, eventually
from tests.integration.journal import journal
from tests.integration.keys import nothing_left
from tests.integration.working import drain, working


@job(name="replacing.plain")
def plain(number: int = 0) -> None:
    journal.note(f"plain {number}")


@job(name="replacing.next")
def follows() -> None:
    journal.note("next")


def test_c9_the_last_of_many_runs(app: Packhorse, heard: Recorder) -> None:
    last = plain.using(unique=Unique("k", on_taken="replace"))
    handles = [last.dispatch(number) for number in range(5)]
    assert not any(handle.skipped for handle in handles)
    told = heard.of(events.JobSuperseded)
    assert [(one.id, one.by) for one in told] == [
        (one.id, other.id) for one, other in pairwise(handles)
    ]
    drain(app)
    assert journal.notes == ["plain 4"]
    results = [one.result for one in heard.of(events.JobProcessed)]
    assert sorted(results) == ["done", *["superseded"] * 4]
    assert nothing_left(app)


def test_c9_what_was_replaced_ends_its_chain(app: Packhorse) -> None:
    last = plain.using(unique=Unique("k", on_taken="replace"))
    first = chain(last.bind(1), follows.bind()).dispatch()
    second = chain(last.bind(2), follows.bind()).dispatch()
    drain(app)
    assert journal.notes == ["plain 2", "next"]
    assert (first.state(), second.state()) == ("cancelled", "succeeded")


def test_c10_one_that_runs_is_not_replaced(app: Packhorse) -> None:
    with working(app):
        running = holds.dispatch()
        eventually(started.is_set)
        second = holds.dispatch()
        assert second.skipped
        assert second.id == running.id
        go_on.set()
        eventually(lambda: nothing_left(app) and not holds.dispatch().skipped)


started, go_on = threading.Event(), threading.Event()


@pytest.fixture(autouse=True)
def _events() -> None:
    started.clear()
    go_on.clear()


@job(name="unique.holds", unique=Unique(on_taken="replace"))
def holds() -> None:
    started.set()
    go_on.wait(10)


def test_c11_a_run_of_replacements_ends(app: Packhorse) -> None:
    if app.connection().driver.capabilities.max_delay == 0:
        with pytest.raises(InvalidPayload, match="delay"):
            plain.using(delay=60).dispatch()
        return
    bounded = plain.using(unique=Unique("k", on_taken="replace", max_wait=1.0), delay=60)
    began = time.monotonic()
    handles = [bounded.dispatch(number) for number in range(3)]
    assert not any(one.skipped for one in handles)
    with working(app):
        eventually(lambda: journal.notes == ["plain 2"], within=10)
    assert 0.9 <= time.monotonic() - began < 9
