"""Workers are told to pause, to go on and to make room, and tell that they live, through the store."""

import threading
import time
from collections.abc import Iterator

import pytest

from packhorse import Packhorse, StoreRequired, Unsupported, events, job
from packhorse.flow.sweep import EVERY
from packhorse.plugin import Answers, Group, Store, Value
from packhorse.testing import Recorder, Running, eventually
from packhorse.worker import presence
from tests.integration.conftest import MEMORY, SQLITE
from tests.integration.journal import journal
from tests.integration.working import working

LIKE_SQS = pytest.param("memory://?like=sqs", id="sqs")
BEAT = presence.BEAT
BROKERS = pytest.mark.parametrize("url", [MEMORY, LIKE_SQS, SQLITE], indirect=True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "BEAT", 0.05)
    monkeypatch.setattr(presence, "KEPT", 2.0)


@job
def notes(text: str) -> None:
    journal.note(text)


holding = threading.Event()


@job
def holds() -> None:
    journal.note("held")
    holding.wait(20)


@pytest.fixture
def hold() -> Iterator[threading.Event]:
    holding.clear()
    yield holding
    holding.set()


@BROKERS
def test_all_queues_are_paused_and_resumed(app: Packhorse, heard: Recorder) -> None:
    control = app.connection().control
    with working(app, ["a", "b"]):
        app.queue("a").push(notes.bind("before"))
        eventually(lambda: journal.count("before") == 1)
        control.pause()
        assert app.queue("a").is_paused()
        eventually(lambda: len(heard.of(events.WorkerQueuePaused)) == 2)
        app.queue("a").push(notes.bind("a"))
        app.queue("b").push(notes.bind("b"))
        time.sleep(0.3)
        assert journal.notes == ["before"]
        control.resume()
        eventually(lambda: set(journal.notes) == {"before", "a", "b"})
    assert not app.queue("a").is_paused()
    assert {one.queue for one in heard.of(events.WorkerQueueResumed)} == {"a", "b"}


@BROKERS
def test_a_pause_for_a_time_ends_by_itself(app: Packhorse) -> None:
    app.connection().control.pause(0.5)
    notes.dispatch("late")
    with working(app):
        time.sleep(0.2)
        assert journal.notes == []
        eventually(lambda: journal.notes == ["late"])


@BROKERS
def test_one_queue_is_paused_whatever_the_broker(app: Packhorse) -> None:
    app.queue("a").pause()
    assert app.queue("a").is_paused()
    assert not app.queue("b").is_paused()
    app.queue("a").push(notes.bind("a"))
    app.queue("b").push(notes.bind("b"))
    with working(app, ["a", "b"]):
        eventually(lambda: journal.notes == ["b"])
        time.sleep(0.2)
        assert journal.notes == ["b"]
        app.queue("a").resume()
        eventually(lambda: journal.notes == ["b", "a"])
    assert not app.queue("a").is_paused()


@BROKERS
def test_a_worker_that_starts_while_all_is_paused_takes_nothing(app: Packhorse) -> None:
    app.connection().control.pause()
    notes.dispatch("never")
    assert app.worker().run(stop_when_empty_for=0.3).jobs == 0


@BROKERS
def test_a_restart_ends_workers_in_good_order(app: Packhorse, hold: threading.Event) -> None:
    holds.dispatch()
    running = Running(app.worker(concurrency=1).run)
    eventually(lambda: journal.count("held") == 1)
    app.connection().control.restart()
    eventually(lambda: app.connection().control.workers()[0].state == "stopping")
    notes.dispatch("left for the next")
    hold.set()
    report = running.answer(within=10)
    assert (report.reason, report.jobs, report.exit_code) == ("restarted", 1, 0)
    assert journal.notes == ["held"]
    assert app.worker().run(stop_when_empty=True).reason == "empty"  # the order was for the others
    assert journal.notes == ["held", "left for the next"]


@BROKERS
def test_workers_tell_what_they_do_until_they_end(app: Packhorse, hold: threading.Event) -> None:
    control = app.connection().control
    assert control.workers() == []
    started = time.time()
    with working(app, ["default", "other"], concurrency=3) as worker:
        handle = holds.dispatch()
        eventually(lambda: bool(control.workers()) and control.workers()[0].busy == 1)
        (one,) = control.workers()
        assert (one.name, one.queues, one.concurrency) == (worker.name, ["default", "other"], 3)
        assert (one.state, one.jobs) == ("working", 0)
        assert started <= one.started <= one.beat <= time.time()
        assert one.memory > 1_000_000
        (running,) = one.running
        assert (running.id, running.job, running.queue) == (
            handle.id,
            holds.definition.name,
            "default",
        )
        assert started <= running.since <= time.time()
        hold.set()
        eventually(lambda: (control.workers()[0].jobs, control.workers()[0].busy) == (1, 0))
    assert control.workers() == []


@BROKERS
def test_a_worker_that_died_is_soon_forgotten(
    app: Packhorse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "KEPT", 0.3)
    monkeypatch.setattr(presence.Presence, "_leave", lambda self: None)
    control = app.connection().control
    with working(app):
        eventually(lambda: len(control.workers()) == 1)
    eventually(lambda: control.workers() == [])


class Counting(Store):
    """Counts the calls of a store, and may be away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: list[str] = []
        self.away = False

    def _call(self, what: str) -> None:
        self.calls.append(what)
        if self.away:
            raise RuntimeError("the store is away")

    def read(self, keys: list[str]) -> list[Value | None]:  # type: ignore[override]
        self._call("read")
        return self._store.read(keys)

    def apply(self, groups: list[Group]) -> list[Answers | None]:  # type: ignore[override]
        self._call("apply")
        return self._store.apply(groups)

    def close(self) -> None:
        self._store.close()


@pytest.mark.parametrize("url", [MEMORY], indirect=True)
def test_a_beat_is_one_call_and_jobs_cost_none(
    app: Packhorse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "BEAT", 60.0)
    store = Counting(app.connection().store)
    monkeypatch.setattr(app.connection(), "_store", store)
    with working(app):
        eventually(lambda: store.calls == ["read", "apply"])
        for number in range(50):
            notes.dispatch(str(number))
        eventually(lambda: len(journal.notes) == 50)
        assert store.calls == ["read", "apply"]
    assert store.calls == ["read", "apply"] + ["apply"] * (len(store.calls) - 2)
    assert len(store.calls) <= 4  # that it stops, and that it is gone


def test_it_is_no_more_than_a_dozen_calls_a_minute() -> None:
    assert 60 / BEAT / 0.9 + 2 * 60 / EVERY <= 12


@pytest.mark.parametrize("url", [MEMORY], indirect=True)
def test_a_store_that_is_away_stops_no_worker_and_is_told_of_once(
    app: Packhorse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = Counting(app.connection().store)
    store.away = True
    monkeypatch.setattr(app.connection(), "_store", store)
    with working(app):
        notes.dispatch("done")
        eventually(lambda: journal.notes == ["done"])
        eventually(lambda: len(store.calls) > 5)
    told = [one.getMessage() for one in caplog.records if "the store is away" in one.getMessage()]
    assert len(told) == 1


@pytest.mark.parametrize("url", [MEMORY], indirect=True)
def test_a_pause_for_a_time_ends_though_the_store_is_away(
    app: Packhorse, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Counting(app.connection().store)
    monkeypatch.setattr(app.connection(), "_store", store)
    app.connection().control.pause(0.6)
    with working(app):
        eventually(lambda: store.calls.count("apply") >= 3)
        store.away = True
        notes.dispatch("late")
        time.sleep(0.1)
        assert journal.notes == []
        eventually(lambda: journal.notes == ["late"])


@pytest.mark.parametrize("url", [MEMORY], indirect=True)
def test_a_pause_without_an_end_holds_on_though_the_store_is_away(
    app: Packhorse, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Counting(app.connection().store)
    monkeypatch.setattr(app.connection(), "_store", store)
    app.connection().control.pause()
    with working(app):
        eventually(lambda: store.calls.count("apply") >= 3)
        store.away = True
        notes.dispatch("never")
        calls = len(store.calls)
        eventually(lambda: len(store.calls) >= calls + 5)
        assert journal.notes == []


def test_without_a_store_the_line_to_add_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with Packhorse("memory://") as app:
        control = app.connection().control

        def none() -> None:
            raise StoreRequired('name a companion in its settings, for example store = "…"')

        monkeypatch.setattr(app.connection(), "_store_opener", none)
        for verb in (control.restart, control.pause, control.resume, control.workers):
            with pytest.raises(StoreRequired, match="store = "):
                verb()
        notes.dispatch("as ever")
        assert app.worker().run(stop_when_empty=True).jobs == 1


@pytest.mark.parametrize("url", ["sync://", "null://", "deferred://", "background://"])
def test_where_there_are_no_workers_there_is_nothing_to_control(url: str) -> None:
    with Packhorse(url) as app:
        with pytest.raises(Unsupported, match="no workers serve"):
            app.connection().control.restart()
        with pytest.raises(Unsupported, match="cannot pause a queue"):
            app.queue().pause()
