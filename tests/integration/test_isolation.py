"""Isolated jobs in a worker of this process: they crash, hang and hog, and nobody else is harmed."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from packhorse import JobContext, JobHandle, Packhorse, batch, chain, events, job
from packhorse.failed import FailedJob
from packhorse.pending import Pending
from packhorse.testing import Recorder, Running, eventually
from tests.integration import isolated_jobs as jobs
from tests.integration.working import becomes_empty, drain, working

pytestmark = pytest.mark.backend("sqlite")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/jobs.db"


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "notes")


def notes(path: str) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.exists() else []


def failed(app: Packhorse, one: Pending[object]) -> FailedJob:
    """Runs a job that fails, beside one that must not suffer, and gives its record."""
    handle, beside = app.dispatch(one), jobs.plain.dispatch(1)
    drain(app)
    assert beside.result(1) == os.getpid()
    (found,) = app.failed.list()
    assert found.id == handle.id
    return found


def gone(pid: int) -> bool:
    """Whether a process is no more, or only waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_hundred_jobs_use_few_processes(app: Packhorse) -> None:
    handles: list[JobHandle[tuple[int, int, int]]] = []
    for number in range(50):
        handles += [jobs.whoami.dispatch(number), jobs.whoami_async.dispatch(number)]
    drain(app, concurrency=3)
    results = [handle.result(1) for handle in handles]
    assert [number for _, _, number in results] == [n for n in range(50) for _ in range(2)]
    assert {parent for _, parent, _ in results} == {os.getpid()}
    processes = {pid for pid, _, _ in results}
    assert 1 <= len(processes) <= 3
    assert os.getpid() not in processes
    eventually(lambda: all(map(gone, processes)))  # and none outlives the worker


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (jobs.segfaults, ["SIGSEGV (Segmentation fault)", "in string_at", "in segfaults"]),
        (jobs.exits, ["exit code 3", "leaving without a word"]),
        (jobs.kills_itself, ["SIGKILL (Killed)", "it had printed nothing"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_process_that_dies_is_a_failure_with_the_evidence(
    app: Packhorse, heard: Recorder, one: Callable[[], object], says: list[str]
) -> None:
    found = failed(app, one.bind())  # type: ignore[attr-defined]
    assert found.reason == "failed at attempt 1 of 1"
    (failure,) = found.failures
    assert failure.type == "packhorse.errors.JobCrashed"
    assert [text for text in [*says, "MB of memory"] if text not in failure.message] == []
    assert failure.worker
    (told,) = heard.of(events.JobFailed)
    assert told.id == found.id


def test_what_was_printed_is_passed_on(app: Packhorse, capfd: pytest.CaptureFixture[str]) -> None:
    found = failed(app, jobs.segfaults.bind())
    assert capfd.readouterr().out == "reading where nothing is\n"
    assert "reading where nothing is" in found.failures[0].traceback


def test_a_crash_counts_as_a_loss_too_so_that_no_job_dies_for_ever(
    app: Packhorse, path: str
) -> None:
    found = failed(app, jobs.always_dies.bind(path))
    assert found.reason == "quarantined: its process died 3 times"
    assert [failure.attempt for failure in found.failures] == [1, 2, 3]
    assert all("exit code 4" in failure.message for failure in found.failures)
    assert len(notes(path)) == 3
    assert app.failed.retry(found.id) == 1
    drain(app)
    assert len(notes(path)) == 6  # its counters were fresh
    assert app.failed.count() == 1


def test_memory_has_a_limit(app: Packhorse) -> None:
    (failure,) = failed(app, jobs.hogs.bind()).failures
    assert failure.type == "MemoryError"
    assert "in hogs" in failure.traceback


def test_the_process_is_used_again_after_its_limits(app: Packhorse) -> None:
    jobs.hogs.dispatch()
    jobs.opens.dispatch()
    handle = jobs.whoami.dispatch(1)
    drain(app, concurrency=1)
    assert {one.failures[0].type for one in app.failed.list()} == {"MemoryError", "OSError"}
    assert handle.result(1)[2] == 1


def test_computing_has_a_limit(app: Packhorse) -> None:
    (failure,) = failed(app, jobs.computes.bind()).failures
    assert failure.message.endswith("it used more than its 1 s of CPU")


@pytest.mark.parametrize(
    ("one", "killed"),
    [
        (jobs.loops, False),
        (jobs.loops_in_c, True),
        (jobs.catches_everything, True),
        (jobs.sleeps_on_a_loop, False),
        (jobs.blocks_a_loop, True),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_time_out_ends_whatever_it_is(
    app: Packhorse, heard: Recorder, one: Callable[[], object], killed: bool
) -> None:
    began = time.monotonic()
    found = failed(app, one.bind())  # type: ignore[attr-defined]
    assert time.monotonic() - began < 10
    (failure,) = found.failures
    assert failure.type == "packhorse.errors.JobTimedOut"
    assert ("with its process" in failure.message) == killed
    (told,) = heard.of(events.JobTimedOut)
    assert (told.id, told.timeout) == (found.id, 0.3)


def test_a_handler_tidies_up_before_its_process_would_be_killed(app: Packhorse, path: str) -> None:
    failed(app, jobs.tidies_up.bind(path))
    assert notes(path) == ["tidied up"]


def test_without_the_soft_time_out_only_the_process_ends(app: Packhorse, path: str) -> None:
    (failure,) = failed(app, jobs.is_not_interrupted.bind(path)).failures
    assert "with its process" in failure.message
    assert notes(path) == []


def test_what_a_job_has_started_ends_with_it(app: Packhorse, path: str) -> None:
    failed(app, jobs.starts_another.bind(path))
    (pid,) = map(int, notes(path))
    eventually(lambda: gone(pid))


@pytest.mark.parametrize(
    ("kind", "type", "message"),
    [
        ("own", "tests.integration.isolated_jobs.Refused", "no (7)"),
        ("os", "FileNotFoundError", "[Errno 2] No such file: 'x'"),
        ("key", "KeyError", "'x'"),
        ("local", "tests.integration.isolated_jobs.Local", "made here"),
    ],
)
def test_an_exception_comes_back_as_it_was(
    app: Packhorse, heard: Recorder, kind: str, type: str, message: str
) -> None:
    found = failed(app, jobs.refuses.bind(kind))
    assert [(one.type, one.message) for one in found.failures] == [(type, message)] * 2
    assert "isolated_jobs.py" in found.failures[0].traceback
    assert "packhorse/worker" not in found.failures[0].traceback
    error = heard.of(events.JobExceptionOccurred)[0].error
    known = {"own": jobs.Refused, "os": FileNotFoundError, "key": KeyError, "local": Exception}
    assert isinstance(error, known[kind])


def test_wishes(app: Packhorse, heard: Recorder, path: str) -> None:
    released = jobs.wishes.using(tags=[path]).dispatch("release")
    deleted, refused = jobs.wishes.dispatch("delete"), jobs.wishes.dispatch("fail")
    with working(app):
        becomes_empty(app)
    assert released.result(1) == "release"
    (told,) = heard.of(events.JobReleased)
    assert (told.id, told.delay, told.why) == (released.id, 0.05, "not yet")
    ends = {one.id: (one.result, one.why) for one in heard.of(events.JobProcessed)}
    assert ends[deleted.id] == ("deleted", "no need")
    (found,) = app.failed.list()
    assert (found.id, found.reason) == (refused.id, "never (9)")
    assert found.failures[0].type.endswith(".Refused")


def test_progress_is_told_while_it_runs_and_at_its_end(app: Packhorse, tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    handle = jobs.progresses.dispatch(str(go_on))

    def note() -> str:
        said = handle.progress()
        return "" if said is None else said.note

    with working(app):
        eventually(lambda: note() == "begun", within=10)
        go_on.touch()
        becomes_empty(app)
    assert note() == "over"


def test_a_cancelled_job_hears_of_it(app: Packhorse, heard: Recorder, path: str) -> None:
    handle = jobs.waits_for_cancel.dispatch(path)
    with working(app):
        eventually(lambda: notes(path) == ["started"])
        assert handle.cancel()
        becomes_empty(app)
    assert notes(path) == ["started", "told"]
    (told,) = heard.of(events.JobProcessed)
    assert told.result == "cancelled"


def test_links_of_a_chain(app: Packhorse, path: str) -> None:
    chain(jobs.link.bind(path, "first"), jobs.link.bind(path, "last")).dispatch()
    with working(app):
        becomes_empty(app)
    assert notes(path) == ["first", "between", "last"]


def test_members_of_a_batch(app: Packhorse, path: str) -> None:
    one = batch([jobs.member.bind(path, number) for number in range(3)])
    one.finally_(jobs.over.bind(path)).dispatch()
    with working(app):
        eventually(lambda: "over" in notes(path), within=10)
    assert sorted(notes(path)[:-1]) == ["member 0", "member 1", "member 2", "member 99"]


def test_what_it_dispatches_goes_through_the_same_app(app: Packhorse, path: str) -> None:
    jobs.dispatches.dispatch(path)
    with working(app):
        eventually(lambda: notes(path) == ["over"])
        becomes_empty(app)


def test_a_result_that_cannot_travel_fails_the_job(app: Packhorse) -> None:
    found = failed(app, jobs.gives_what_cannot_travel.bind())
    assert found.reason.startswith("its result cannot be kept: ")


def test_a_method_decides_and_guards_stay_with_the_worker(app: Packhorse, path: str) -> None:
    alone = jobs.Chosen(alone=True, path=path).dispatch()
    drain(app)
    beside = jobs.Chosen(alone=False, path=path).dispatch()
    drain(app)
    assert alone.result(1) != os.getpid() == beside.result(1)
    first, after, second, _ = notes(path)
    assert (first, after, second) == (f"before {alone.result(1)}", "after", f"before {os.getpid()}")


def test_an_override_isolates_one_message(app: Packhorse) -> None:
    alone, beside = jobs.plain.using(isolate=True).dispatch(1), jobs.plain.dispatch(2)
    here = jobs.whoami.using(isolate=False).dispatch(3)
    drain(app)
    assert alone.result(1) != os.getpid() == beside.result(1) == here.result(1)[0]


@job(isolate=True)
def guarded() -> None: ...


def test_a_job_that_cannot_be_found_elsewhere_says_so(app: Packhorse) -> None:
    @job(isolate=True, tries=3)
    def local(ctx: JobContext) -> None: ...

    found = failed(app, local.bind())
    assert "cannot run in a process of its own: it is defined inside a function" in found.reason


def lost(app: Packhorse, one: Pending[object]) -> UUID:
    """A job whose worker has died while it ran."""
    handle = app.dispatch(one)
    driver = app.connection().driver
    consumer = driver.consumer("dead")
    assert len(consumer.reserve(["default"], 1, 0).deliveries) == 1
    assert driver.rescue("dead", blamed=[handle.id]) == 1  # type: ignore[attr-defined]
    consumer.close()
    return handle.id


def test_what_was_lost_with_its_worker_runs_alone(app: Packhorse) -> None:
    id = lost(app, jobs.plain.bind(1))
    drain(app)
    assert app.handle(id).result(1) != os.getpid()


def test_what_was_lost_and_cannot_be_found_elsewhere_runs_all_the_same(app: Packhorse) -> None:
    ran = []

    @job
    def local() -> None:
        ran.append(os.getpid())

    lost(app, local.bind())
    drain(app)
    assert ran == [os.getpid()]


def test_a_worker_that_is_told_to_stop_ends_isolated_jobs_when_grace_is_over(
    app: Packhorse, path: str
) -> None:
    jobs.lasts.dispatch(path)
    worker = app.worker(grace=0.2)
    from packhorse.testing import Running

    running = Running(worker.run)
    (line,) = eventually(lambda: notes(path))
    worker.stop()
    running.answer(within=10)
    eventually(lambda: gone(int(line.split()[1])))
    (waiting,) = app.queue().jobs()
    assert (waiting.state, waiting.deliveries) == ("waiting", 0)


@pytest.fixture
def memory() -> Iterator[Packhorse]:
    with Packhorse("memory://") as app:
        yield app


def test_memory_is_out_of_reach_and_says_so(memory: Packhorse, path: str) -> None:
    handle = jobs.whoami.using(keep_result=60).dispatch(1)
    jobs.dispatches.dispatch(path)
    drain(memory)
    assert handle.result(1)[1] == os.getpid()
    (found,) = memory.failed.list()
    assert found.failures[0].type == "packhorse.errors.Unsupported"
    assert "memory:// lives in the worker's process" in found.failures[0].message


@pytest.mark.parametrize("early", [True, False], ids=["early", "late"])
def test_what_runs_hears_that_the_worker_ends(app: Packhorse, path: str, early: bool) -> None:
    """Early: while the process does not run the job yet."""
    jobs.Checkpoints(path=path, opening=0.3 if early else 0.0).dispatch()
    worker = app.worker()
    if early:
        app.on(events.JobProcessing)(lambda event: worker.stop())
    running = Running(worker.run)
    eventually(lambda: len(notes(path)) >= 1, within=20)
    worker.stop()
    assert running.answer(within=10).unfinished == 0
    assert app.queue().counts().ready == 1
    said = notes(path)
    (pid,) = {line.split()[-1] for line in said}
    assert sorted(said) == [f"interrupted by {int(signal.SIGTERM)} in {pid}", f"started {pid}"]
    assert int(pid) != os.getpid()
