"""The title of a worker process tells what it does: `packhorse:work`, `packhorse:pause`, `packhorse:end`."""

from typing import TYPE_CHECKING

from packhorse import events
from packhorse.events.operations import WorkerEvent
from packhorse.worker.title import entitle

if TYPE_CHECKING:
    from packhorse.events.bus import Bus

TITLES: dict[type[WorkerEvent], str] = {
    events.WorkerStarting: "work",
    events.WorkerPaused: "pause",
    events.WorkerResumed: "work",
    events.WorkerInterrupted: "end",
    events.WorkerStopping: "end",
}
"""All of these are told in the main thread, whose title is the process's."""


def listen(bus: "Bus") -> None:
    """Keeps the title of this process, from now on."""
    entitle("start")
    for kind in TITLES:
        bus.on(kind, _entitle)


def _entitle(event: WorkerEvent) -> None:
    entitle(TITLES[type(event)])
