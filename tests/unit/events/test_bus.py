"""The bus: who listens hears, in order; nobody who raises harms another."""

import logging

import pytest

from packhorse import Packhorse, events
from packhorse.events.bus import Bus
from packhorse.ids import new_id

ID = new_id()
QUEUED = events.JobQueued(id=ID, job="j", queue="q", connection="c", delay=0.0)
CLEARED = events.QueueCleared(connection="c", queue="q", count=3)


def test_nobody_listens() -> None:
    bus = Bus()
    assert not bus.hears(events.JobQueued)
    bus.emit(QUEUED)


def test_it_is_heard_in_the_order_of_listening() -> None:
    bus = Bus()
    heard: list[tuple[str, events.JobQueued]] = []
    bus.on(events.JobQueued, lambda event: heard.append(("first", event)))
    bus.on(events.JobQueued, lambda event: heard.append(("second", event)))
    bus.emit(QUEUED)
    bus.emit(CLEARED)
    assert heard == [("first", QUEUED), ("second", QUEUED)]


def test_a_base_class_hears_all_that_derive_from_it() -> None:
    bus = Bus()
    heard: list[events.Event] = []
    bus.on(events.JobEvent, heard.append)
    assert bus.hears(events.JobQueued)
    assert bus.hears(events.JobFailed)
    assert not bus.hears(events.QueueCleared)
    bus.emit(QUEUED)
    bus.emit(CLEARED)
    assert heard == [QUEUED]
    bus.on(events.Event, heard.append)
    bus.emit(CLEARED)
    assert heard == [QUEUED, CLEARED]


def test_an_event_that_a_plugin_defines_later_is_heard_too() -> None:
    bus = Bus()
    heard: list[events.Event] = []
    bus.on(events.Event, heard.append)

    class Later(events.Event, frozen=True):
        pass

    assert bus.hears(Later)
    bus.emit(Later())
    assert heard == [Later()]


def test_whoever_comes_late_hears_from_then_on() -> None:
    bus = Bus()
    heard: list[events.Event] = []
    assert not bus.hears(events.JobQueued)
    bus.emit(QUEUED)
    bus.on(events.JobQueued, heard.append)
    assert bus.hears(events.JobQueued)
    bus.emit(QUEUED)
    assert heard == [QUEUED]


def test_a_listener_that_raises_is_logged_and_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bus = Bus()
    heard: list[events.Event] = []

    def broken(event: events.JobQueued) -> None:
        raise ValueError("my own fault")

    bus.on(events.JobQueued, broken)
    bus.on(events.JobQueued, heard.append)
    with caplog.at_level(logging.ERROR, "packhorse.events"):
        bus.emit(QUEUED)
    assert heard == [QUEUED]
    (record,) = caplog.records
    assert "a listener to JobQueued failed" in record.getMessage()
    assert "broken" in record.getMessage()
    assert record.exc_info is not None
    assert "my own fault" in str(record.exc_info[1])


def test_a_listener_may_listen_while_it_hears() -> None:
    bus = Bus()
    heard: list[events.Event] = []
    bus.on(events.JobQueued, lambda event: bus.on(events.JobQueued, heard.append))
    bus.emit(QUEUED)
    bus.emit(QUEUED)
    assert heard == [QUEUED]


def test_the_app_gives_the_listener_back_so_that_it_decorates() -> None:
    app = Packhorse("memory://")

    @app.on(events.QueueCleared)
    def listener(event: events.QueueCleared) -> None:
        heard.append(event)

    heard: list[events.QueueCleared] = []
    app.queue("q").clear()
    assert heard == [events.QueueCleared(connection="main", queue="q", count=0)]
    listener(CLEARED)
    assert heard[1:] == [CLEARED]


def test_the_door_has_every_event() -> None:
    def kinds(base: type[events.Event]) -> set[str]:
        found = {base.__name__} if base.__module__.startswith("packhorse.") else set()
        return found.union(*map(kinds, base.__subclasses__()))

    assert kinds(events.Event) == set(events.__all__)


@pytest.mark.parametrize("event", [QUEUED, CLEARED])
def test_events_are_frozen(event: events.Event) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        event.queue = "x"  # type: ignore[attr-defined]
