"""A worker with nothing to do: it costs next to nothing, and is there at once."""

import time
from pathlib import Path

import pytest

from packhorse import Packhorse, job
from packhorse.testing import eventually
from tests.integration.conftest import MEMORY, REDIS, SQLITE
from tests.integration.jobs import quick
from tests.integration.journal import journal
from tests.integration.processes import Stable
from tests.integration.working import becomes_empty, working
from tests.redis_server import RedisServer


@job
def notes() -> None:
    journal.note("ran")


@pytest.mark.slow
@pytest.mark.parametrize("url", [MEMORY, SQLITE, REDIS], indirect=True)
def test_a_waiting_worker_leaves_the_processor_alone(app: Packhorse) -> None:
    """It is promised to use less than a hundredth of a core; the rest is for busy machines."""
    with working(app):
        notes.dispatch()
        becomes_empty(app)
        notes.using(delay=60).dispatch()
        before, started = time.process_time(), time.monotonic()
        time.sleep(2.0)
        used = time.process_time() - before
        took = time.monotonic() - started
    assert used / took < 0.03


@pytest.mark.slow
@pytest.mark.backend("sqlite")
def test_a_waiting_worker_wakes_when_another_process_sends(tmp_path: Path) -> None:
    """It would not look of itself for a minute."""
    stable = Stable(tmp_path, lease=30.0)
    try:
        stable.worker("--sleep", "60")
        for number in range(20):
            stable.app.dispatch(quick.bind(number))
            eventually(lambda: stable.ended() == number + 1, within=10)  # noqa: B023
    finally:
        stable.close()


@pytest.mark.slow
@pytest.mark.backend("redis")
@pytest.mark.parametrize("url", [REDIS], indirect=True)
def test_a_waiting_worker_asks_redis_twelve_times_a_minute_at_most(
    app: Packhorse, redis_server: RedisServer
) -> None:
    """Beats and sweeps included. What comes in a third of that may be two more: they keep no step."""
    with working(app):
        notes.dispatch()
        becomes_empty(app)
        time.sleep(2.0)  # the first beat, and the first look of a sweep
        with redis_server.watched() as commands:
            time.sleep(20.0)
    assert len(commands) <= 12 / 3 + 2, commands


@pytest.mark.parametrize("url", [MEMORY, SQLITE, REDIS], indirect=True)
def test_what_falls_due_while_a_worker_waits_starts_in_time(app: Packhorse) -> None:
    with working(app):
        notes.dispatch()
        becomes_empty(app)
        started = time.monotonic()
        notes.using(delay=0.4).dispatch()
        eventually(lambda: journal.count("ran") == 2, within=4)  # it would look after 20 s
        assert time.monotonic() - started > 0.39
