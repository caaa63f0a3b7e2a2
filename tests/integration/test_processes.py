"""Worker processes that share one broker: killed, told to stop, poisoned, and started again."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from packhorse.driver.message import Message
from packhorse.ids import new_id
from packhorse.testing import eventually
from tests.integration.conftest import REDIS, SQLITE
from tests.integration.jobs import dies_at_most_once, forks_and_dispatches, lasts, poison, quick
from tests.integration.messages import envelope
from tests.integration.processes import Stable, by_job, kill, overlapping

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("url", [SQLITE, REDIS], indirect=True),
]


@pytest.fixture
def make_stable(tmp_path: Path, url: str) -> Iterator[Callable[[float], Stable]]:
    made: list[Stable] = []

    def make(lease: float) -> Stable:
        made.append(Stable(tmp_path, lease, url))
        return made[-1]

    yield make
    for stable in made:
        stable.close()


def test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing(
    make_stable: Callable[[float], Stable],
) -> None:
    stable = make_stable(2.0)
    killed, stopped = stable.worker("--concurrency", "4"), stable.worker("--concurrency", "4")
    numbers = count()

    def push(jobs: int) -> None:
        stable.app.push_many([lasts.bind(next(numbers), 0.005) for _ in range(jobs)])

    def both_are_at_work() -> bool:
        push(20)
        return {run.pid for run in stable.runs()} == {killed.pid, stopped.pid}

    eventually(both_are_at_work, within=30, every=0.05)
    push(700)
    eventually(lambda: stable.app.queue().counts().ready < 600, within=10)
    gone = {killed.pid: kill(killed)}
    stopped.terminate()
    assert stopped.wait(timeout=10) == 0, stable.log(stopped)
    stable.worker("--concurrency", "4")
    stable.becomes_empty()
    runs = stable.runs()
    assert overlapping(runs, gone) == []
    jobs = by_job(runs)
    assert set(jobs) == set(range(next(numbers)))
    assert all(any(run.end for run in several) for several in jobs.values())
    for several in jobs.values():
        *before, last = several
        assert all(run.pid == killed.pid for run in before)  # the others told what they did
        assert last.end is not None
        assert last.deliveries <= 2
        if before:
            assert last.deliveries == 2  # the loss is counted
    assert len({run.pid for run in runs if run.deliveries == 1}) == 3
    assert stable.app.failed.count() == 0


def test_a_crashed_workers_job_is_first_in_line_again(
    make_stable: Callable[[float], Stable],
) -> None:
    stable = make_stable(1.5)
    lasts.bind(1, 60.0)
    stable.app.dispatch(lasts.bind(1, 60.0))
    first = stable.worker("--concurrency", "1")
    eventually(lambda: len(stable.runs()) == 1, within=10)
    kill(first)
    _backlog(stable, 100_000)
    stable.app.queue().later(0, lasts.bind(2, 0.0))
    eventually(lambda: _lease_is_over(stable), within=5)
    second = stable.worker("--concurrency", "1", "--max-time", "30", "--grace", "0")
    eventually(lambda: len(stable.runs()) >= 2, within=15)
    assert [run.number for run in stable.runs()[:2]] == [1, 1]
    assert stable.runs()[1].deliveries == 2
    kill(second)


def _backlog(stable: Stable, size: int) -> None:
    driver, name = stable.app.connection().driver, quick.definition.name
    body = envelope(name, {"number": 5})
    for _ in range(size // 10_000):
        driver.send([Message(new_id(), "default", body) for _ in range(10_000)])


def _lease_is_over(stable: Stable) -> bool:
    (leased,) = stable.app.queue().jobs("leased")
    return leased.moment < time.time()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_under_load(
    make_stable: Callable[[float], Stable], number: signal.Signals
) -> None:
    stable = make_stable(30.0)
    stable.app.push_many([quick.bind(number) for number in range(500)])
    worker = stable.worker("--concurrency", "4")
    stable.becomes_empty()
    stable.app.push_many([lasts.bind(number, 0.3) for number in range(1000, 1100)])
    eventually(lambda: stable.ended() >= 508, within=10)
    told = time.monotonic()
    worker.send_signal(number)
    assert worker.wait(timeout=10) == 0, stable.log(worker)
    assert time.monotonic() - told < 5
    runs = stable.runs()
    assert all(run.end is not None for run in runs)
    assert {run.deliveries for run in runs} == {1}
    counts = stable.app.queue().counts()
    assert (counts.ready, counts.reserved) == (600 - len(runs), 0)
    assert {one.deliveries for one in stable.app.queue().jobs(limit=100)} == {0}
    assert not any(run.start > told + 0.5 for run in runs)


def test_a_second_signal_ends_the_waiting(make_stable: Callable[[float], Stable]) -> None:
    stable = make_stable(30.0)
    stable.app.dispatch(lasts.bind(1, 60.0))
    worker = stable.worker()
    eventually(lambda: len(stable.runs()) == 1, within=10)
    worker.terminate()
    with pytest.raises(Exception, match="timed out"):
        worker.wait(timeout=1)
    worker.terminate()
    assert worker.wait(timeout=5) == 1
    assert stable.app.queue().counts().ready == 1  # given back as the process ended


def test_grace_ends_the_waiting(make_stable: Callable[[float], Stable]) -> None:
    stable = make_stable(30.0)
    stable.app.dispatch(lasts.bind(1, 60.0))
    worker = stable.worker("--grace", "0.5")
    eventually(lambda: len(stable.runs()) == 1, within=10)
    worker.terminate()
    assert worker.wait(timeout=5) == 1
    assert stable.app.queue().counts().ready == 1  # given back as the process ended


def _until_all_is_done(stable: Stable, *options: str, starts: int) -> None:
    """Starts a worker again whenever it died, as a service manager does."""
    size = stable.app.queue().size
    for _ in range(starts):
        worker = stable.worker(*options)
        eventually(lambda: stable.workers[-1].poll() is not None or not size(), within=15)
        if worker.poll() is None:
            return
    raise AssertionError(f"not done after {starts} starts")


def test_a_poison_job_takes_one_worker_down_and_then_fails_alone(
    make_stable: Callable[[float], Stable],
) -> None:
    stable = make_stable(0.5)
    stable.app.push_many([lasts.bind(number, 0.05) for number in range(10)])
    handle = stable.app.dispatch(poison.bind(100))
    stable.app.push_many([lasts.bind(number, 0.05) for number in range(10, 40)])
    _until_all_is_done(stable, "--concurrency", "1", starts=2)
    jobs = by_job(stable.runs())
    assert [run.deliveries for run in jobs[100]] == [1, 2]
    (found,) = stable.app.failed.list()
    assert (found.id, found.reason) == (handle.id, "failed at attempt 1 of 1")
    assert "was ended by exit code 3" in found.failures[0].message
    assert all(any(run.end for run in jobs[number]) for number in range(40))
    assert stable.app.failed.retry(handle.id) == 1
    _until_all_is_done(stable, "--concurrency", "1", starts=2)
    assert [run.deliveries for run in by_job(stable.runs())[100]] == [1, 2, 1, 2]


def test_what_runs_beside_a_poison_job_is_done(make_stable: Callable[[float], Stable]) -> None:
    stable = make_stable(0.5)
    handle = stable.app.dispatch(poison.bind(100))
    for number in range(40):
        stable.app.dispatch(lasts.bind(number, 0.05))
    _until_all_is_done(stable, "--concurrency", "4", starts=2)
    assert [one.id for one in stable.app.failed.list()] == [handle.id]
    jobs = by_job(stable.runs())
    assert all(any(run.end for run in jobs[number]) for number in range(40))


def test_at_most_once_is_at_most_once(make_stable: Callable[[float], Stable]) -> None:
    stable = make_stable(0.5)
    handles = [stable.app.dispatch(dies_at_most_once.bind(number)) for number in range(3)]
    _until_all_is_done(stable, "--concurrency", "1", starts=6)
    runs = stable.runs()
    assert sorted(run.number for run in runs) == [0, 1, 2]
    found = stable.app.failed.list()
    assert {one.id for one in found} == {one.id for one in handles}
    assert {one.reason for one in found} == {"quarantined: started and never reported back once"}


def test_jobs_may_fork(make_stable: Callable[[float], Stable]) -> None:
    stable = make_stable(30.0)
    stable.app.push_many([forks_and_dispatches.bind(number) for number in range(20)])
    worker = stable.worker("--concurrency", "4")
    eventually(lambda: stable.ended() == 40, within=15)
    stable.becomes_empty()
    worker.terminate()
    assert worker.wait(timeout=10) == 0, stable.log(worker)
    jobs = by_job(stable.runs())
    assert set(jobs) == {*range(20), *range(1000, 1020)}
    assert all(len(several) == 1 for several in jobs.values())
    assert os.getpid() not in {run.pid for run in stable.runs()}
