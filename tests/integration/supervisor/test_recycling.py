"""Processes that make room for fresh ones: by jobs, age and memory; what they run is finished first."""

from itertools import pairwise

import pytest

from packhorse.testing import eventually
from tests.integration.jobs import lasts
from tests.integration.processes import by_job
from tests.integration.supervisor.conftest import Team
from tests.integration.supervisor.jobs import grows, leaves_a_thread_behind

pytestmark = [pytest.mark.slow, pytest.mark.backend("sqlite")]


def test_by_jobs_while_the_others_go_on(team: Team) -> None:
    supervisor = team.supervisor("--recycle-jobs", "20", "--concurrency", "2", processes=2)
    team.at_work(supervisor, 2)
    team.app.push_many([lasts.bind(number, 0.05) for number in range(100)])
    team.becomes_empty()
    runs = team.runs()
    assert {run.deliveries for run in runs} == {1}
    assert set(by_job(runs)) == set(range(100))
    assert len({run.pid for run in runs}) >= 4
    gaps = [after.start - before.start for before, after in pairwise(runs)]
    assert max(gaps) < 2.0
    assert "a fresh process takes over" in team.log(supervisor)
    assert "ended by" not in team.log(supervisor)


def test_by_age_and_a_long_job_may_finish(team: Team) -> None:
    """However short the grace is: nobody asked for the end."""
    supervisor = team.supervisor("--recycle-time", "1", "--grace", "0.2")
    team.app.dispatch(lasts.bind(1, 3.0))
    team.becomes_empty()
    team.app.dispatch(lasts.bind(2, 0.0))
    team.becomes_empty()
    first, second = team.runs()
    assert (first.deliveries, first.end is None) == (1, False)
    assert first.pid != second.pid
    assert "ended by" not in team.log(supervisor)


def test_by_memory(team: Team) -> None:
    team.app.push_many([grows.bind(number, 60) for number in range(6)])
    team.supervisor("--recycle-memory", "150", "--concurrency", "1", "--rest", "0.3")
    team.becomes_empty()
    runs = team.runs()
    assert {run.deliveries for run in runs} == {1}
    assert len({run.pid for run in runs}) > 1


def test_a_thread_of_a_jobs_does_not_keep_a_process_from_ending(team: Team) -> None:
    supervisor = team.supervisor("--recycle-jobs", "1")
    (pid,) = team.at_work(supervisor, 1)
    team.app.dispatch(leaves_a_thread_behind.bind(1))
    eventually(lambda: "it did not end in time" in team.log(supervisor), 15)
    team.app.dispatch(lasts.bind(2, 0.0))
    team.becomes_empty()
    assert team.runs()[1].pid != pid
