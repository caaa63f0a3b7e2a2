"""Isolated jobs under real workers and supervisors: told to stop, killed with -9, held by C code."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packhorse import Packhorse
from packhorse.testing import eventually
from tests.integration import isolated_jobs as jobs
from tests.integration.jobs import dies_at_most_once, lasts
from tests.integration.processes import Stable, by_job, kill

pytestmark = [pytest.mark.slow, pytest.mark.backend("sqlite")]

JOBS = ("--import", "tests.integration.isolated_jobs")


@pytest.fixture
def make_stable(tmp_path: Path) -> Iterator[Callable[[float], Stable]]:
    made: list[Stable] = []

    def make(lease: float) -> Stable:
        made.append(Stable(tmp_path, lease))
        return made[-1]

    yield make
    for stable in made:
        stable.close()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "notes")


def notes(path: str) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.exists() else []


def started(path: str, count: int = 1) -> list[int]:
    """The processes in which jobs have started, once there are so many."""

    def pids() -> list[int]:
        return [int(line.split()[1]) for line in notes(path) if line.startswith("started")]

    eventually(lambda: len(pids()) >= count, within=20)
    return pids()


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


@pytest.mark.parametrize("processes", ["0", "1"])
def test_sigterm_lets_isolated_jobs_finish(
    make_stable: Callable[[float], Stable], path: str, processes: str
) -> None:
    stable = make_stable(30.0)
    stable.app.dispatch(jobs.lasts_a_second.bind(path))
    worker = stable.worker(*JOBS, "--processes", processes)
    (pid,) = started(path)
    worker.terminate()
    assert worker.wait(timeout=10) == 0, stable.log(worker)
    assert notes(path)[1:] == ["ended"]
    assert stable.app.queue().size() == 0
    eventually(lambda: gone(pid))


@pytest.mark.parametrize("one", [jobs.lasts, jobs.holds_the_lock], ids=["sleeps", "holds the lock"])
def test_no_orphan_is_left_by_a_worker_that_is_killed(
    make_stable: Callable[[float], Stable], path: str, one: Callable[..., object]
) -> None:
    stable = make_stable(30.0)
    bound = one.using(isolate=True, timeout=0).bind(path)  # type: ignore[attr-defined]
    stable.app.dispatch(bound)
    worker = stable.worker(*JOBS)
    (pid,) = started(path)
    assert parent(pid) == worker.pid
    kill(worker)
    eventually(lambda: gone(pid), within=2)


def test_no_orphan_is_left_by_a_supervisor_that_is_killed(
    make_stable: Callable[[float], Stable], path: str
) -> None:
    stable = make_stable(30.0)
    stable.app.dispatch(jobs.lasts.bind(path))
    supervisor = stable.worker(*JOBS, "--processes", "1", "--grace", "0.2")
    (pid,) = started(path)
    worker = parent(pid)
    assert parent(worker) == supervisor.pid
    kill(supervisor)
    eventually(lambda: gone(pid) and gone(worker), within=10)
    assert stable.app.queue().counts().ready == 1  # and it waits for the next worker


def test_a_job_that_holds_the_interpreter_costs_one_process_and_then_times_out_alone(
    make_stable: Callable[[float], Stable], path: str
) -> None:
    stable = make_stable(30.0)
    handle = stable.app.dispatch(jobs.holds_the_lock.bind(path))
    supervisor = stable.worker(*JOBS, "--processes", "1", "--grace", "0.3")
    first, second = started(path, 2)
    eventually(lambda: stable.app.failed.count() == 1, within=10)
    assert gone(first)
    assert gone(second)
    (found,) = stable.app.failed.list()
    assert (found.id, found.reason) == (handle.id, "failed at attempt 1 of 1")
    (failure,) = found.failures
    assert failure.type == "packhorse.errors.JobTimedOut"
    assert "is killed: job" in stable.log(supervisor)
    assert supervisor.poll() is None


def test_killing_a_process_with_a_full_prefetch_quarantines_nobody(
    make_stable: Callable[[float], Stable],
) -> None:
    stable = make_stable(30.0)
    supervisor = stable.worker("--processes", "1", "--concurrency", "4")
    stable.app.push_many([lasts.bind(number, 0.01) for number in range(1500)])
    killed: set[int] = set()

    def another() -> int | None:
        pids = {run.pid for run in stable.runs()} - killed
        return next((pid for pid in pids if parent(pid) == supervisor.pid), None)

    for _ in range(4):  # more often than a job may be lost
        pid = eventually(another, within=20)
        assert pid is not None
        ran = stable.ended()
        eventually(lambda: stable.ended() > ran + 20, within=20)  # noqa: B023  (it is at full speed)
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
    stable.becomes_empty(within=60)
    assert stable.app.failed.count() == 0
    runs = by_job(stable.runs())
    assert set(runs) == set(range(1500))
    again = {number for number, several in runs.items() if several[-1].deliveries > 1}
    assert len(again) <= 100  # what had started and was not settled when its process died


SCRIPT = """
import os, sys
from packhorse import Packhorse, job

app = Packhorse("sqlite:///jobs.db")

@job(isolate=True, keep_result=60)
def whoami() -> int:
    return os.getpid()

def main() -> None:
    handle = whoami.dispatch()
    app.worker().run(stop_when_empty=True)
    print(handle.result(1) != os.getpid())
"""


@pytest.mark.parametrize("how", ["script", "module"])
@pytest.mark.parametrize("guarded", [True, False])
def test_a_script_needs_a_guard(tmp_path: Path, guarded: bool, how: str) -> None:
    end = 'if __name__ == "__main__":\n    main()\n' if guarded else "main()\n"
    (tmp_path / "cart.py").write_text(SCRIPT + end)
    program = ["cart.py"] if how == "script" else ["-m", "cart"]
    done = subprocess.run(
        [sys.executable, *program], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    if guarded:
        assert (done.stdout, done.stderr) == ("True\n", "")
        return
    assert done.stdout == ""
    assert "cart.py, which another process cannot import without running it" in done.stderr
    with Packhorse(f"sqlite:///{tmp_path}/jobs.db") as app:
        assert (app.failed.count(), app.queue().size()) == (1, 0)


def test_a_second_signal_ends_isolated_jobs_and_gives_them_back(
    make_stable: Callable[[float], Stable], path: str
) -> None:
    stable = make_stable(30.0)
    stable.app.dispatch(jobs.lasts.bind(path))
    worker = stable.worker(*JOBS)
    (pid,) = started(path)
    worker.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        worker.wait(timeout=0.5)
    told = time.monotonic()
    worker.terminate()
    assert worker.wait(timeout=5) == 1
    assert time.monotonic() - told < 4
    eventually(lambda: gone(pid))
    assert stable.app.queue().counts().ready == 1


def test_what_is_quarantined_at_its_first_loss_has_the_evidence(
    make_stable: Callable[[float], Stable],
) -> None:
    stable = make_stable(30.0)
    handle = stable.app.dispatch(dies_at_most_once.bind(1))
    supervisor = stable.worker("--processes", "1")
    eventually(lambda: stable.app.failed.count() == 1, within=20)
    (found,) = stable.app.failed.list()
    assert found.id == handle.id
    assert found.reason == "quarantined: started and never reported back once"
    (failure,) = found.failures
    assert failure.type == "packhorse.errors.JobCrashed"
    assert "was ended by exit code 3; it had up to" in failure.message
    assert "MB of memory, while it ran this job" in failure.message
    assert "was ended by exit code 3" in stable.log(supervisor)
    assert [run.number for run in stable.runs()] == [1]
