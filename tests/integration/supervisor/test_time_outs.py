"""Jobs that cannot be stopped: they fail, their process ends, and the next job runs in a fresh one."""

import pytest

from packhorse.testing import eventually
from tests.integration.jobs import lasts
from tests.integration.supervisor.conftest import Team
from tests.integration.supervisor.jobs import (
    catches_everything,
    holds_the_interpreter,
    is_not_interrupted,
    reads_a_socket,
    runs_away,
    sleeps,
    waits_for_a_lock,
)

pytestmark = [pytest.mark.slow, pytest.mark.backend("sqlite")]

STUBBORN = [sleeps, reads_a_socket, waits_for_a_lock, catches_everything, is_not_interrupted]


def test_what_does_not_hear_its_time_out_fails_with_the_process(team: Team) -> None:
    """A neighbour that takes no longer than the grace is finished first."""
    handles = [team.app.dispatch(one.bind(0)) for one in STUBBORN]
    supervisor = team.supervisor("--grace", "1")
    (pid,) = team.at_work(supervisor, 1)
    team.app.dispatch(lasts.bind(1, 0.5))
    eventually(lambda: team.app.failed.count() == len(STUBBORN), 10)
    team.app.dispatch(lasts.bind(2, 0.0))
    team.becomes_empty()
    failed = {one.id: one for one in team.app.failed.list()}
    assert set(failed) == {handle.id for handle in handles}
    for one in failed.values():
        (failure,) = one.failures
        assert failure.type == "packhorse.errors.JobTimedOut", one.job
    first, second = team.runs()
    assert (first.pid, first.deliveries, first.end is None) == (pid, 1, False)
    assert second.pid != pid
    assert "ended by" not in team.log(supervisor)


def test_what_holds_the_interpreters_lock_is_killed(team: Team) -> None:
    """The first time by the supervisor; then it has a process of its own, and fails there."""
    handles = [team.app.dispatch(one.bind(0)) for one in (holds_the_interpreter, runs_away)]
    supervisor = team.supervisor("--grace", "0.3", "--concurrency", "1", processes=2)
    eventually(lambda: team.app.failed.count() == 2, 25)
    failed = {one.id: one for one in team.app.failed.list()}
    assert set(failed) == {handle.id for handle in handles}
    for one in failed.values():
        (failure,) = one.failures
        assert failure.type == "packhorse.errors.JobTimedOut", one.job
    assert team.log(supervisor).count("ran on after its time-out and its grace") == 2
    team.app.dispatch(lasts.bind(1, 0.0))
    team.becomes_empty()
    assert [run.deliveries for run in team.runs()] == [1]
