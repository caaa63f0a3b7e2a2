"""Workers on beanstalkd with a store beside it: killed, cut off, and with a server that starts again."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from packhorse import JobContext, Packhorse, StoreRequired, Unsupported, events, job
from packhorse.testing import FaultProxy, Recorder, eventually
from tests.beanstalkd import Server, serving
from tests.integration.jobs import lasts
from tests.integration.journal import journal
from tests.integration.processes import Stable, by_job, kill, overlapping
from tests.integration.working import becomes_empty, drain, working

pytestmark = pytest.mark.backend("beanstalkd", "sqlite")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(Server(tmp_path / "binlog")) as server:
        yield server


@job(name="beanstalkd.notes")
def notes(number: int) -> None:
    time.sleep(0.001)
    journal.note(str(number))


@job(name="beanstalkd.waits", timeout=20)
def waits(ctx: JobContext) -> None:
    if ctx.deliveries > 1:
        return
    journal.note("started")
    while not ctx.cancelled:
        time.sleep(0.01)
    journal.note("told")


@job(name="beanstalkd.unique", unique=True)
def alone() -> None: ...


@job(name="beanstalkd.keeps", keep_result=60)
def keeps() -> int:
    return 1


@pytest.mark.slow
def test_a_worker_that_is_killed_and_a_server_that_starts_again_lose_nothing(
    tmp_path: Path, server: Server
) -> None:
    stable = Stable(tmp_path, 2.0, server.url, f"sqlite:///{tmp_path}/store.db")
    try:
        killed, other = stable.worker("--concurrency", "4"), stable.worker("--concurrency", "4")
        numbers = count()

        def both_are_at_work() -> bool:
            stable.app.push_many([lasts.bind(next(numbers), 0.005) for _ in range(20)])
            return {run.pid for run in stable.runs()} == {killed.pid, other.pid}

        eventually(both_are_at_work, within=30, every=0.05)
        stable.app.push_many([lasts.bind(next(numbers), 0.005) for _ in range(500)])
        gone = {killed.pid: kill(killed)}
        server.stop()
        server.start()
        stable.worker("--concurrency", "4")
        stable.becomes_empty()
        jobs = by_job(stable.runs())
        assert set(jobs) == set(range(next(numbers)))
        assert all(any(run.end for run in several) for several in jobs.values())
        assert stable.app.failed.count() == 0
        assert [
            pair for pair in overlapping(stable.runs(), gone) if pair[0].pid == killed.pid
        ] == []
    finally:
        stable.close()


@pytest.mark.slow
def test_connections_that_are_cut_again_and_again_lose_nothing(
    tmp_path: Path, server: Server
) -> None:
    with (
        FaultProxy("127.0.0.1", server.port) as proxy,
        Packhorse(server.url, store=f"sqlite:///{tmp_path}/store.db") as near,
    ):
        near.push_many([notes.bind(number) for number in range(150)])
        url = f"beanstalkd://127.0.0.1:{proxy.port}"
        with Packhorse(url, store=f"sqlite:///{tmp_path}/store.db") as far, working(far):
            for share in (30, 70, 110):
                eventually(lambda share=share: len(journal.notes) >= share)  # type: ignore[misc]
                proxy.cut()
            becomes_empty(near, within=40)
        assert set(journal.notes) == {str(number) for number in range(150)}
        assert near.failed.count() == 0


def test_a_handler_is_told_that_its_connection_was_cut(tmp_path: Path, server: Server) -> None:
    heard = Recorder()
    with (
        FaultProxy("127.0.0.1", server.port) as proxy,
        Packhorse(
            f"beanstalkd://127.0.0.1:{proxy.port}", lease=1.0, store=f"sqlite:///{tmp_path}/s.db"
        ) as app,
    ):
        app.on(events.LeaseLost)(heard)
        waits.dispatch()
        with working(app):
            eventually(lambda: journal.count("started") == 1)
            proxy.cut()
            eventually(lambda: journal.count("told") >= 1)
            eventually(lambda: heard.of(events.LeaseLost))


@job(name="beanstalkd.fails_once")
def fails_once() -> None:
    journal.note("ran")
    if journal.count("ran") == 1:
        raise ValueError("once")


def test_without_a_store_a_failed_job_is_buried_and_comes_back(server: Server) -> None:
    with Packhorse(server.url) as app:
        fails_once.dispatch()
        drain(app)
        assert (app.failed.count(), app.failed.count("elsewhere")) == (1, 0)
        assert app.failed.list() == []
        assert app.queue().size() == 0
        assert app.failed.retry("all") == 1
        drain(app)
        assert journal.notes == ["ran", "ran"]
        assert app.failed.count() == 0
        assert app.queue().size() == 0


def test_the_doctor_says_where_failed_jobs_stay(server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "packhorse", "--url", server.url, "doctor"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "failed jobs stay with the broker, unlisted" in " ".join(done.stdout.split())


def test_without_a_store_what_needs_one_is_refused(server: Server) -> None:
    with Packhorse(server.url) as app:
        for needs in (alone, keeps):
            with pytest.raises(StoreRequired, match="store = "):
                needs.dispatch()
        with pytest.raises(Unsupported, match="keeps no groups"):
            notes.using(group="g").dispatch(1)
        assert app.queue().size() == 0
