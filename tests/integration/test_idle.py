"""A worker with nothing to do: it costs next to nothing, and is there at once."""

import statistics
import time
from pathlib import Path

import pytest

from packhorse import Packhorse, job
from packhorse.testing import eventually
from tests.integration.conftest import MEMORY, SQLITE
from tests.integration.jobs import quick
from tests.integration.journal import journal
from tests.integration.processes import Stable
from tests.integration.working import becomes_empty, working


@job
def notes() -> None:
    journal.note("ran")


@pytest.mark.slow
@pytest.mark.parametrize("url", [MEMORY, SQLITE], indirect=True)
def test_a_waiting_worker_leaves_the_processor_alone(app: Packhorse) -> None:
    """It is promised to use less than a hundredth of a core; the rest is for busy machines."""
    with working(app):
        notes.dispatch()
        becomes_empty(app)
        notes.using(delay=60).dispatch()
        time.sleep(0.2)
        before, started = time.process_time(), time.monotonic()
        time.sleep(2.0)
        used = time.process_time() - before
        took = time.monotonic() - started
    assert used / took < 0.03


@pytest.mark.slow
@pytest.mark.backend("sqlite")
def test_a_waiting_worker_wakes_when_another_process_sends(tmp_path: Path) -> None:
    stable = Stable(tmp_path, lease=30.0)
    try:
        stable.worker()
        stable.app.dispatch(quick.bind(0))
        eventually(lambda: stable.ended() == 1, within=10)
        sent = {}
        for number in range(1, 21):
            time.sleep(0.05)  # so that it has gone to sleep
            stable.app.dispatch(quick.bind(number))
            sent[number] = time.monotonic()
        eventually(lambda: stable.ended() == 21)
        waits = [run.start - sent[run.number] for run in stable.runs() if run.number]
        assert statistics.median(waits) < 0.05
    finally:
        stable.close()


@pytest.mark.parametrize("url", [MEMORY, SQLITE], indirect=True)
def test_what_falls_due_while_a_worker_waits_starts_in_time(app: Packhorse) -> None:
    with working(app):
        notes.dispatch()
        becomes_empty(app)
        started = time.monotonic()
        notes.using(delay=0.4).dispatch()
        eventually(lambda: journal.count("ran") == 2)
        assert 0.39 < time.monotonic() - started < 0.9
