"""A connection on which nothing succeeds is opened anew; in the end the worker ends rather than sit deaf."""

import threading
from pathlib import Path

import pytest

from packhorse import ConnectionLost, Packhorse, job
from packhorse.driver.message import Reserved
from packhorse.testing import Running, eventually
from packhorse.worker import parts
from packhorse.worker import worker as workers
from packhorse_sql.consumer import SqlConsumer
from packhorse_sql.driver import SqlDriver
from tests.integration.journal import journal

pytestmark = pytest.mark.backend("sqlite")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "patience", lambda lease, sleep: 0.4)
    monkeypatch.setattr(workers, "WATCH", 0.05)


@pytest.fixture
def app(tmp_path: Path) -> Packhorse:
    return Packhorse(f"sqlite:///{tmp_path}/jobs.db")


@job
def notes() -> None:
    journal.note("ran")


class Broken:
    """Lets the first consumer fail or hang; closing its driver ends what hangs, as a socket's end does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, hangs: bool, ever: bool = False) -> None:
        self.first: SqlConsumer | None = None
        self.closed = threading.Event()
        reserve, close = SqlConsumer.reserve, SqlDriver.close

        def broken(consumer: SqlConsumer, queues: list[str], limit: int, wait: float) -> Reserved:
            if self.first is None:
                self.first = consumer
            if consumer is self.first or ever:
                if hangs:
                    self.closed.wait(20)
                    raise ValueError("operation on a closed connection")
                raise ConnectionLost("the connection is broken")
            return reserve(consumer, queues, limit, wait)

        def closing(driver: SqlDriver) -> None:
            self.closed.set()
            close(driver)

        monkeypatch.setattr(SqlConsumer, "reserve", broken)
        monkeypatch.setattr(SqlDriver, "close", closing)


@pytest.mark.parametrize("hangs", [True, False], ids=["hangs", "fails"])
def test_what_is_broken_is_opened_anew(
    app: Packhorse, monkeypatch: pytest.MonkeyPatch, hangs: bool, caplog: pytest.LogCaptureFixture
) -> None:
    # Failed calls are repeated after growing pauses: some must fit in before the worker is deaf.
    monkeypatch.setattr(parts, "patience", lambda lease, sleep: 2.0)
    with app:
        notes.dispatch()
        Broken(monkeypatch, hangs=hangs)
        worker = app.worker(sleep=0.1)
        running = Running(worker.run)
        eventually(lambda: journal.notes == ["ran"], within=20)
        worker.stop()
        assert running.answer(within=10).reason == "stopped"
        assert app.queue().size() == 0
        assert "it is opened anew" in caplog.text


@pytest.mark.parametrize("hangs", [True, False], ids=["hangs", "fails"])
def test_a_deaf_worker_ends(app: Packhorse, monkeypatch: pytest.MonkeyPatch, hangs: bool) -> None:
    before = set(threading.enumerate())
    with app:
        broken = Broken(monkeypatch, hangs=hangs, ever=True)
        report = Running(app.worker(sleep=0.1).run).answer(within=20)
        assert (report.reason, report.exit_code) == ("deaf", 1)
        broken.closed.set()  # its calls come back at last: nobody goes on in its name
        eventually(lambda: set(threading.enumerate()) <= before, within=10)


def test_who_is_paused_is_not_deaf(app: Packhorse, monkeypatch: pytest.MonkeyPatch) -> None:
    with app:
        app.connection().control.pause()
        report = Running(app.worker(sleep=0.1).run, max_time=3.0).answer(within=20)
        assert report.reason == "max_time"
