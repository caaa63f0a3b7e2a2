"""What a worker says of each attempt."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from packhorse import Packhorse, events, job
from packhorse.cli.voice import FAILURES, Style, Voice, line

ID = UUID("01a20d10-7e2d-73bb-b529-00311fda4ce7")
JOB: dict[str, Any] = {"id": ID, "job": "shop.mail", "queue": "default", "connection": "main"}
ATTEMPT: dict[str, Any] = {**JOB, "attempt": 1, "deliveries": 1, "worker": "w"}


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (events.JobProcessed(**ATTEMPT, result="done"), "done"),
        (events.JobProcessed(**ATTEMPT, result="cancelled"), "cancelled"),
        (events.JobReleased(**ATTEMPT, delay=5.0), "released    again in 5 s"),
        (
            events.JobReleasedAfterException(**ATTEMPT, delay=0.0, error=ValueError("a\nb")),
            "retry       again at once: ValueError: a b",
        ),
        (
            events.JobFailed(**ATTEMPT, reason="spent", error=KeyError("k")),
            "failed      KeyError: 'k'",
        ),
        (events.JobFailed(**ATTEMPT, reason="spent", error=Mute()), "failed      Mute"),
        (events.JobFailed(**ATTEMPT, reason="quarantined"), "failed      quarantined"),
        (
            events.JobUnknown(**JOB, delay=2.0, seen=2, worker="w"),
            "unknown     again in 2 s: no imported module has a job of this name (seen 2 times)",
        ),
        (
            events.LeaseLost(**ATTEMPT),
            "lost        its lease ran out: another worker has it now",
        ),
    ],
)
def test_a_line(event: events.JobEvent, text: str) -> None:
    assert line(event, whole=False)[10:] == f"{ID}  shop.mail  {text}"


def test_a_line_on_a_terminal_has_the_end_of_the_id_and_the_duration() -> None:
    said = line(events.JobProcessed(**ATTEMPT, result="done", duration=0.0042), whole=True)
    assert said[10:].split() == ["1fda4ce7", "shop.mail", "done", "4.2", "ms"]


@pytest.mark.parametrize(
    ("style", "heard"),
    [
        ("silent", ()),
        ("failures", FAILURES),
        ("lines", (events.JobProcessed, *FAILURES)),
        ("json", (events.JobProcessed, *FAILURES)),
    ],
)
def test_nothing_is_listened_to_that_is_not_printed(
    style: Style, heard: tuple[type[events.Event], ...]
) -> None:
    with Packhorse("memory://") as app:
        Voice(app.worker(), style).listen(app.bus)
        every = (events.JobPopped, events.JobProcessing, events.JobAttempted, events.JobProcessed)
        listened = {kind for kind in (*every, *FAILURES) if app.bus.hears(kind)}
    assert listened == set(heard)


def test_each_attempt_is_an_object_with_its_duration(capsys: pytest.CaptureFixture[str]) -> None:
    @job(name="cli.fine")
    def fine() -> None: ...

    @job(name="cli.broken")
    def broken() -> None:
        raise ValueError("no")

    with Packhorse("memory://") as app:
        fine.dispatch()
        broken.dispatch()
        worker = app.worker(concurrency=1)
        voice = Voice(worker, "json")
        voice.listen(app.bus)
        voice.started(app.connection(), 2)
        voice.stopped(worker.run(stop_when_empty=True), 1.0)
    first, done, failed, last = map(msgspec.json.decode, capsys.readouterr().out.splitlines())
    assert (first["event"], first["queues"], first["jobs_known"]) == (
        "WorkerStarting",
        ["default"],
        2,
    )
    assert (done["event"], done["job"], done["result"]) == ("JobProcessed", "cli.fine", "done")
    assert done["duration"] >= 0
    assert (failed["event"], failed["error"]) == ("JobFailed", "ValueError: no")
    assert (last["event"], last["jobs"], last["failed"], last["exit_code"]) == (
        "WorkerStopping",
        2,
        1,
        0,
    )


def test_half_of_a_character_is_no_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    with Packhorse("memory://") as app:
        Voice(app.worker(), "json").listen(app.bus)
        app.bus.emit(events.JobFailed(**ATTEMPT, reason="spent", error=ValueError("half \udcff")))
    said = msgspec.json.decode(capsys.readouterr().out)
    assert (said["id"], said["attempt"], said["error"]) == (str(ID), 1, "ValueError: half \\udcff")
