"""Supervisors that are told to stop: in good order, in haste, during a start, from a terminal."""

import fcntl
import os
import pty
import signal
import subprocess
import termios
import time
from collections.abc import Callable

import pytest

from packhorse.testing import eventually
from tests.integration.jobs import lasts, quick
from tests.integration.processes import ROOT
from tests.integration.supervisor.conftest import Team, children, send

pytestmark = [pytest.mark.slow, pytest.mark.backend("sqlite")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_under_load(team: Team, number: signal.Signals) -> None:
    team.app.push_many([quick.bind(number) for number in range(500)])
    supervisor = team.supervisor("--concurrency", "2", processes=2)
    team.at_work(supervisor, 2)
    team.becomes_empty()
    team.app.push_many([lasts.bind(number, 0.3) for number in range(1000, 1100)])
    eventually(lambda: team.ended() >= 508, within=10)
    told = send(supervisor.pid, number)
    assert supervisor.wait(timeout=10) == 0, team.log(supervisor)
    assert time.monotonic() - told < 5
    runs = team.runs()
    assert all(run.end is not None for run in runs)
    assert {run.deliveries for run in runs} == {1}
    counts = team.app.queue().counts()
    assert (counts.ready, counts.reserved) == (600 - len(runs), 0)
    assert {one.deliveries for one in team.app.queue().jobs(limit=100)} == {0}
    assert not any(run.start > told + 0.5 for run in runs)
    assert "ended by" not in team.log(supervisor)


def test_a_signal_to_all_at_once_is_no_haste(team: Team) -> None:
    """As service managers send it: the processes get one of their own and one from the supervisor."""
    supervisor = team.supervisor(processes=2)
    pids = team.at_work(supervisor, 2)
    team.app.dispatch(lasts.bind(1, 2.0))
    eventually(lambda: len(team.runs()) == 1, 10)
    for pid in [*pids, supervisor.pid]:
        send(pid, signal.SIGTERM)
    assert supervisor.wait(timeout=10) == 0, team.log(supervisor)
    assert [(run.deliveries, run.end is None) for run in team.runs()] == [(1, False)]


def test_a_second_signal_ends_the_waiting(team: Team) -> None:
    team.app.dispatch(lasts.bind(1, 60.0))
    supervisor = team.supervisor()
    eventually(lambda: len(team.runs()) == 1, 20)
    supervisor.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        supervisor.wait(timeout=1)
    supervisor.terminate()
    assert supervisor.wait(timeout=4) == 1
    assert team.app.queue().counts().ready == 1
    assert [one.deliveries for one in team.app.queue().jobs()] == [0]


def test_one_process_that_is_told_to_stop_is_replaced(team: Team) -> None:
    supervisor = team.supervisor()
    (pid,) = team.at_work(supervisor, 1)
    team.app.dispatch(lasts.bind(1, 1.0))
    eventually(lambda: len(team.runs()) == 1, 10)
    send(pid, signal.SIGTERM)
    eventually(lambda: children(supervisor.pid) not in ([pid], []), 10)
    team.app.dispatch(quick.bind(2))
    team.becomes_empty()
    first, second = team.runs()
    assert (first.pid, first.deliveries, first.end is None) == (pid, 1, False)
    assert second.pid != pid
    supervisor.terminate()
    assert supervisor.wait(timeout=10) == 0


def test_processes_stop_when_their_supervisor_is_killed(team: Team) -> None:
    team.app.push_many([lasts.bind(number, 1.0) for number in range(20)])
    supervisor = team.supervisor("--concurrency", "2", processes=2)
    pids = team.at_work(supervisor, 2)
    eventually(lambda: {run.pid for run in team.runs()} == set(pids), 10)
    supervisor.kill()
    supervisor.wait()
    eventually(lambda: not any(_is_there(pid) for pid in pids), 10)
    runs = team.runs()
    assert all(run.end for run in runs)
    counts = team.app.queue().counts()
    assert (counts.ready, counts.reserved) == (20 - len(runs), 0)
    assert {one.deliveries for one in team.app.queue().jobs(limit=20)} == {0}


def _is_there(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def test_a_signal_while_a_process_starts(team: Team) -> None:
    supervisor = team.supervisor("--import", "tests.integration.supervisor.slow_start")
    eventually(lambda: os.path.exists(f"{team.diary}.starting"), 20)
    supervisor.terminate()
    assert supervisor.wait(timeout=4) == 0, team.log(supervisor)
    assert "ended by" not in team.log(supervisor)


@pytest.mark.parametrize("after", [0.0, 0.1, 0.2, 0.3, 0.4, 0.6])
def test_a_signal_at_any_moment_of_a_start(team: Team, after: float) -> None:
    """Before it is a supervisor at all, it ends as any process does."""
    supervisor = team.supervisor(processes=2)
    time.sleep(after)
    supervisor.terminate()
    assert supervisor.wait(timeout=5) in (0, -signal.SIGTERM)
    assert "Traceback" not in team.log(supervisor)
    assert "ended by" not in team.log(supervisor)
    assert team.app.queue().counts().reserved == 0


class Terminal:
    """A supervisor in a terminal of its own."""

    def __init__(self, team: Team, *options: str) -> None:
        self.keys, screen = pty.openpty()

        def take_terminal() -> None:
            fcntl.ioctl(screen, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            team.command("--processes", "2", *options),
            cwd=ROOT,
            env=team.environment(),
            stdin=screen,
            stdout=screen,
            stderr=screen,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(screen)
        team.workers.append(self.process)

    def ctrl_c(self) -> None:
        os.write(self.keys, b"\x03")

    def text(self) -> str:
        """All that was to be read, once the processes have ended."""
        said = b""
        try:
            while data := os.read(self.keys, 4096):
                said += data
        except OSError:  # the other side is closed
            pass
        os.close(self.keys)
        return said.decode()


def test_ctrl_c_in_a_terminal(team: Team) -> None:
    team.app.dispatch(lasts.bind(1, 1.5))
    terminal = Terminal(team)
    eventually(lambda: len(team.runs()) == 1, 20)
    terminal.ctrl_c()
    assert terminal.process.wait(timeout=10) == 0
    assert [run.end is None for run in team.runs()] == [False]
    text = terminal.text()
    assert "a signal said so: 1 attempt" in text
    assert "Traceback" not in text
    assert "ended by" not in text


def test_ctrl_c_twice_in_a_terminal(team: Team) -> None:
    team.app.dispatch(lasts.bind(1, 60.0))
    terminal = Terminal(team)
    eventually(lambda: len(team.runs()) == 1, 20)
    terminal.ctrl_c()
    with pytest.raises(subprocess.TimeoutExpired):
        terminal.process.wait(timeout=1)
    terminal.ctrl_c()
    assert terminal.process.wait(timeout=4) == 1
    assert team.app.queue().counts().ready == 1
    assert "Traceback" not in terminal.text()


def test_ctrl_c_while_a_process_starts(team: Team) -> None:
    terminal = Terminal(team, "--import", "tests.integration.supervisor.slow_start")
    eventually(lambda: os.path.exists(f"{team.diary}.starting"), 20)
    terminal.ctrl_c()
    assert terminal.process.wait(timeout=4) == 0
    text = terminal.text()
    assert "Traceback" not in text
    assert "ended by" not in text


def test_a_supervisor_that_was_suspended_is_patient(make_team: Callable[[float], Team]) -> None:
    """As by Ctrl-Z: what ran past its last moment meanwhile may still end by itself."""
    team = make_team(120.0)
    supervisor = team.supervisor("--grace", "1", "--timeout", "1")
    (pid,) = team.at_work(supervisor, 1)
    team.app.dispatch(lasts.bind(1, 0.5))
    eventually(lambda: len(team.runs()) == 1, 10)
    send(supervisor.pid, signal.SIGSTOP)
    send(pid, signal.SIGSTOP)
    time.sleep(9.0)  # over its time-out, twice the grace, and the margin
    send(supervisor.pid, signal.SIGCONT)
    time.sleep(0.3)
    send(pid, signal.SIGCONT)
    team.becomes_empty()
    # Its own process decides: the job's end and its time-out have both come in the meantime.
    for failed in team.app.failed.list():
        assert "timeout of 1 s" in failed.failures[0].message
    assert "killed" not in team.log(supervisor)
