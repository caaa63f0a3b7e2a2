"""A worker process that stands still for two leases and goes on: nothing that it says counts any more."""

import signal
from collections.abc import Callable

import pytest

from packhorse import batch
from packhorse.testing import eventually
from tests.integration.jobs import lasts, quick
from tests.integration.processes import by_job
from tests.integration.supervisor.conftest import Team, send
from tests.integration.supervisor.jobs import fails_the_first_time

pytestmark = [pytest.mark.slow, pytest.mark.backend("sqlite")]

LEASE = 1.0


def test_a_zombie_changes_nothing(make_team: Callable[[float], Team]) -> None:
    """It did one member of a batch and failed another, as far as it knows."""
    team = make_team(LEASE)
    with team.app:
        members = batch([lasts.bind(1, 0.5), fails_the_first_time.bind(2, 0.5)])
        made = members.then(quick.bind(3)).dispatch()
    zombie = team.supervisor("--concurrency", "2", "--json")
    eventually(lambda: len(team.runs()) == 2, 20)
    (pid,) = {run.pid for run in team.runs()}
    send(pid, signal.SIGSTOP)
    team.supervisor("--concurrency", "2", "--json")
    eventually(lambda: 3 in by_job(team.runs()), within=10)
    send(pid, signal.SIGCONT)
    eventually(lambda: team.log(zombie).count('"event":"LeaseLost"') == 2, within=10)
    zombie.terminate()
    assert zombie.wait(timeout=10) == 0
    made.refresh()
    assert (made.total, made.pending, made.failed) == (2, 0, 0)
    jobs = by_job(team.runs())
    assert [run.deliveries for run in jobs[1]] == [1, 2]
    assert [run.deliveries for run in jobs[2]] == [1, 2]
    assert [run.deliveries for run in jobs[3]] == [1]
    assert team.app.queue().size() == 0
    assert team.app.failed.count() == 0
    said = team.log(zombie)
    assert '"event":"JobProcessed"' not in said
    assert '"event":"JobFailed"' not in said
