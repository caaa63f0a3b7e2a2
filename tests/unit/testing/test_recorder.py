"""A recorder remembers what it heard, by kind."""

from packhorse.events import Event, QueueCleared, QueuePaused
from packhorse.testing import Recorder


def test_events_are_kept_in_order_and_found_by_kind() -> None:
    recorder = Recorder()
    paused = QueuePaused(connection="main", queue="mail", for_=None)
    cleared = QueueCleared(connection="main", queue="mail", count=3)
    recorder(paused)
    recorder(cleared)
    assert recorder.events == recorder.of(Event) == [paused, cleared]
    assert recorder.of(QueueCleared) == [cleared]
    recorder.clear()
    assert recorder.events == []
