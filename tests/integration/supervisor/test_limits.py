"""When a supervisor ends by itself, its exit codes, and what it costs."""

import subprocess
from pathlib import Path

import pytest

from packhorse.testing import eventually
from tests.integration.jobs import lasts, quick
from tests.integration.processes import ROOT
from tests.integration.supervisor.conftest import Team

pytestmark = [pytest.mark.slow, pytest.mark.backend("sqlite")]


def test_once_is_one_job(team: Team) -> None:
    team.app.push_many([quick.bind(number) for number in range(3)])
    supervisor = team.supervisor("--once", processes=3)
    assert supervisor.wait(timeout=20) == 0
    assert len(team.runs()) == 1
    assert team.app.queue().counts().ready == 2


def test_max_jobs_is_that_of_each_process(team: Team) -> None:
    team.app.push_many([lasts.bind(number, 0.01) for number in range(60)])
    supervisor = team.supervisor("--max-jobs", "20", processes=2)
    assert supervisor.wait(timeout=20) == 0
    assert len(team.runs()) == 40
    assert team.app.queue().counts().ready == 20


def test_stop_when_empty(team: Team) -> None:
    team.app.push_many([lasts.bind(number, 0.05) for number in range(100)])
    supervisor = team.supervisor("--stop-when-empty", processes=2)
    assert supervisor.wait(timeout=20) == 0
    assert team.app.queue().size() == 0
    assert len({run.pid for run in team.runs()}) == 2


def test_too_much_memory_is_exit_code_12(team: Team) -> None:
    assert team.supervisor("--max-memory", "1", processes=2).wait(timeout=20) == 12


def test_wrong_settings_are_one_line_and_exit_code_2(team: Team) -> None:
    supervisor = team.supervisor("--import", "nowhere.to_be_found", processes=3)
    assert supervisor.wait(timeout=20) == 2
    assert len(team.log(supervisor).splitlines()) == 1


def test_a_process_that_keeps_dying_is_replaced_more_and_more_slowly(team: Team) -> None:
    team.supervisor("--import", "tests.integration.supervisor.broken_start")
    starts = Path(f"{team.diary}.starts")
    eventually(lambda: starts.exists() and len(starts.read_text().split()) >= 4, 20)
    moments = [float(line) for line in starts.read_text().split()]
    assert moments[1] - moments[0] < 1.5  # at once
    assert moments[3] - moments[0] > 1.5  # half a second, and a whole one
    team.workers[0].terminate()
    assert team.workers[0].wait(timeout=5) in (0, 7)  # in a pause, or during a start


def test_it_needs_little_memory(team: Team) -> None:
    supervisor = team.supervisor()
    team.at_work(supervisor, 1)
    pages = int(Path(f"/proc/{supervisor.pid}/statm").read_text().split()[1])
    assert pages * 4096 < 35_000_000


def test_nobody_reads_what_it_prints(team: Team) -> None:
    """Neither stdout nor stderr; what is to be done is done, and a crash is survived."""
    team.app.push_many([quick.bind(number) for number in range(10)])
    process = subprocess.Popen(
        team.command("--processes", "2", "--quiet", "--stop-when-empty"),
        cwd=ROOT,
        env=team.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    team.workers.append(process)
    assert process.wait(timeout=20) == 0
    assert len(team.runs()) == 10
