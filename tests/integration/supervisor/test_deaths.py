"""Worker processes that die: what they held is done, soon, and only what had started counts as lost."""

import random
import signal
import time
from collections.abc import Callable

import pytest

from packhorse.function_job import FunctionJob
from packhorse.testing import eventually
from packhorse.worker.child import ALIVE
from tests.integration.jobs import dies_at_most_once
from tests.integration.processes import by_job
from tests.integration.supervisor.conftest import Team, children, send
from tests.integration.supervisor.jobs import (
    is_hunted,
    leaves_a_fork_behind,
    leaves_a_program_behind,
)

pytestmark = [pytest.mark.slow, pytest.mark.backend("sqlite")]

SOON = 2.0
"""Seconds after a death within which what had been started runs again."""


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_dead_process_held_runs_again_at_once(team: Team, processes: int) -> None:
    """Each start of a job is a delivery that counts, and nothing else is."""
    supervisor = team.supervisor("--concurrency", "2", processes=processes)
    victim, *_ = team.at_work(supervisor, processes)
    team.app.push_many([is_hunted.bind(number, 0.02) for number in range(300)])
    eventually(lambda: any(run.pid == victim for run in team.runs()) and team.ended() > 50, 20)
    died = send(victim, signal.SIGKILL)
    team.becomes_empty()
    jobs = by_job(team.runs())
    assert set(jobs) == set(range(300))
    assert all(several[-1].end for several in jobs.values())
    interrupted = [several for several in jobs.values() if several[0].end is None]
    assert 0 < len(interrupted) <= 2
    again = [several[1].start for several in jobs.values() if len(several) > 1]
    assert max(again) - died < SOON
    # One that was about to write down its start counts as well.
    uncounted = [several[-1].deliveries - len(several) for several in jobs.values()]
    assert min(uncounted) == 0
    assert sum(uncounted) <= 2
    assert "ended by SIGKILL" in team.log(supervisor)
    assert team.app.failed.count() == 0


def test_who_was_to_take_over_dies_as_well(team: Team) -> None:
    """Both die at the same moment, or the one before it has done what it was told."""
    supervisor = team.supervisor("--concurrency", "2", processes=2)
    victims = team.at_work(supervisor, 2)
    team.app.push_many([is_hunted.bind(number, 0.5) for number in range(4)])
    eventually(lambda: len(team.runs()) == 4, 10)
    died = max(send(victim, signal.SIGKILL) for victim in victims)
    team.becomes_empty()
    for first, second in by_job(team.runs()).values():
        assert (first.end, first.deliveries, second.deliveries) == (None, 1, 2)
        assert (
            second.start - died < SOON + 1.0
        )  # a process has to start first, and one for each job


def test_who_was_to_take_over_hangs(team: Team) -> None:
    """The next one is told to, once the first has given no sign of life for a moment."""
    supervisor = team.supervisor("--concurrency", "1", processes=3)
    first, *others = team.at_work(supervisor, 3)
    for number in range(6):
        team.app.dispatch(is_hunted.bind(number, 4.0))
    eventually(lambda: len({run.pid for run in team.runs()}) == 3, 10)
    victim, number = next((run.pid, run.number) for run in team.runs() if run.pid in others)
    send(first, signal.SIGSTOP)  # it sleeps in its job and holds no lock of the file
    died = send(victim, signal.SIGKILL)
    eventually(lambda: len(by_job(team.runs())[number]) == 2, 20)
    send(first, signal.SIGCONT)
    again = by_job(team.runs())[number][1]
    assert again.pid not in (first, victim)
    assert again.deliveries == 2
    assert again.start - died < ALIVE + 2 * SOON + 4.0  # everybody was busy
    team.becomes_empty(40)


@pytest.mark.parametrize("one", [leaves_a_fork_behind, leaves_a_program_behind])
def test_what_a_job_leaves_behind_hides_no_death(
    team: Team, one: "FunctionJob[[int], object, object]"
) -> None:
    """It holds open all that its parent had open, the pipe to the supervisor too."""
    team.supervisor()
    team.app.dispatch(one.bind(1))
    eventually(lambda: len(team.runs()) == 1, 20)
    started = team.runs()[0].start
    team.becomes_empty()
    assert [run.deliveries for run in team.runs()] == [1, 2]
    assert team.runs()[1].start - started < SOON + 1.0  # in a process of its own


def test_at_most_once_under_a_supervisor(team: Team) -> None:
    handles = [team.app.dispatch(dies_at_most_once.bind(number)) for number in range(2)]
    team.supervisor("--concurrency", "1")
    team.becomes_empty()
    assert sorted(run.number for run in team.runs()) == [0, 1]
    assert {one.id for one in team.app.failed.list()} == {handle.id for handle in handles}


def test_fifty_kills_lose_nothing(make_team: Callable[[float], Team]) -> None:
    """A process, a supervisor, or all at once, at random moments, while a thousand jobs run."""
    lease, seed = 2.0, random.randrange(10**6)
    print(f"seed {seed}")
    dice, team = random.Random(seed), make_team(lease)
    team.app.push_many([is_hunted.bind(number, 0.03) for number in range(1000)])
    team.supervisor("--concurrency", "4", processes=2)
    for _ in range(50):
        time.sleep(dice.uniform(0.0, 0.7))
        supervisor = team.workers[-1]
        processes = children(supervisor.pid)
        what = dice.choice(["a process", "the supervisor", "all"])
        if what == "a process" and processes:
            send(dice.choice(processes), signal.SIGKILL)
            continue
        for pid in [supervisor.pid, *(processes if what == "all" else ())]:
            send(pid, signal.SIGKILL)
        supervisor.wait()
        team.supervisor("--concurrency", "4", processes=2)
    eventually(lambda: team.app.queue().counts().ready == 0, within=30, every=0.05)
    team.becomes_empty(within=2 * lease + 1.0)
    jobs = by_job(team.runs())
    assert set(jobs) == set(range(1000))
    assert all(any(run.end for run in several) for several in jobs.values())
    assert team.app.failed.count() == 0
