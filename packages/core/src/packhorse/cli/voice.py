"""What a worker says while it works: a line or a JSON object for each attempt, or failures only."""

import os
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import click
import msgspec

from packhorse import events
from packhorse.cli.output import counted, in_colour, one_line, span, stamp
from packhorse.events.types import JobEvent, SettledEvent
from packhorse.logs import json_line

if TYPE_CHECKING:
    from packhorse.connection import Connection
    from packhorse.events.bus import Bus
    from packhorse.worker.plan import StopReason
    from packhorse.worker.worker import Report, Worker

Style = Literal["lines", "json", "failures", "silent"]

ENDINGS = (
    events.JobProcessed,
    events.JobReleased,
    events.JobReleasedAfterException,
    events.JobFailed,
    events.JobUnknown,
    events.LeaseLost,
)
"""What may become of an attempt."""
FAILURES = ENDINGS[2:]
REASONS: "Mapping[StopReason, str]" = {
    "stopped": "it was told to stop",
    "interrupted": "a signal said so",
    "empty": "nothing is ready",
    "empty_for": "nothing came any more",
    "max_jobs": "as many jobs ran as were asked for",
    "max_time": "--max-time is over",
    "memory": "it holds more memory than --max-memory",
    "recycled": "a fresh process takes over",
    "restarted": "packhorse restart said so",
    "stuck": "a job cannot be stopped",
    "deaf": "its broker has not answered for minutes",
}


class Voice:
    """Speaks on stdout for one worker, from whatever thread an event comes.

    Nothing is listened to that is not printed. When nobody reads stdout any more it tells the worker
    to stop.
    """

    def __init__(self, worker: "Worker", style: Style) -> None:
        self._worker = worker
        self._style = style
        self._failed = 0
        self._retried = 0

    def listen(self, bus: "Bus") -> None:
        """Registers the listeners that the style needs."""
        if self._style == "silent":
            return
        whole = self._style in ("lines", "json")
        for kind in ENDINGS if whole else FAILURES:
            bus.on(kind, self._ended)
        bus.on(events.WorkerPaused, self._paused)
        bus.on(events.WorkerResumed, self._paused)

    def started(self, connection: "Connection", jobs: int) -> None:
        """What is worked on, in one line."""
        worker = self._worker
        if self._style == "json":
            self._object(
                "WorkerStarting",
                worker=worker.name,
                connection=connection.name,
                queues=worker.queues,
                concurrency=worker.concurrency,
                jobs_known=jobs,
            )
            return
        queues = "queue" if len(worker.queues) == 1 else "queues"
        self._line(
            f"worker {worker.name} on {connection.name} ({connection.url}): "
            f"{queues} {', '.join(worker.queues)}; "
            f"{worker.concurrency} at once; {counted(jobs, 'job')} known"
        )
        if not jobs:
            hint = (
                "no module with jobs was imported: name one by --import, or imports in the settings"
            )
            click.echo(f"packhorse: warning: {hint}", err=True)

    def stopped(self, report: "Report", seconds: float) -> None:
        """Why it ended, and what it did."""
        if self._style == "json":
            self._object(
                "WorkerStopping",
                worker=self._worker.name,
                reason=report.reason,
                jobs=report.jobs,
                unfinished=report.unfinished,
                failed=self._failed,
                retried=self._retried,
                exit_code=report.exit_code,
            )
            return
        more = [f"{self._failed:,} failed"] if self._failed else []
        more += [f"{self._retried:,} retried"] if self._retried else []
        more += [f"{report.unfinished:,} still running"] if report.unfinished else []
        self._line(
            f"stopped, {REASONS[report.reason]}: {counted(report.jobs, 'attempt')} in "
            f"{span(seconds)}{''.join(', ' + each for each in more)}"
        )

    def _paused(self, event: events.WorkerPaused | events.WorkerResumed) -> None:
        if self._style == "json":
            self._object(type(event).__name__, worker=event.worker)
        else:
            word = "paused" if isinstance(event, events.WorkerPaused) else "goes on"
            self._line(f"worker {event.worker} {word}: a signal said so")

    def _ended(self, event: JobEvent) -> None:
        self._failed += isinstance(event, events.JobFailed)
        self._retried += isinstance(event, events.JobReleasedAfterException)
        if self._style == "json":
            error = getattr(event, "error", None)
            known = {
                name: value
                for name, value in msgspec.structs.asdict(event).items()
                if name not in ("error", "worker")
            }
            text = None if error is None else _said(error)
            self._object(type(event).__name__, **known, error=text)
        else:
            self._line(line(event, whole=self._style == "lines"))

    def _object(self, event: str, **facts: object) -> None:
        self._line(json_line({"event": event, "at": stamp(time.time()), **facts}))

    def _line(self, text: str) -> None:
        if self._style == "silent":
            return
        try:
            click.echo(text)
        except OSError:
            self._style = "silent"
            # What Python flushes at its end must go somewhere too.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self._worker.stop()


def line(event: JobEvent, *, whole: bool) -> str:
    """An attempt for a person: when, which, what became of it, how long it took.

    Where lines are `whole` the eye follows them on a terminal, and the end of the id will do.
    """
    word, colour, detail = _outcome(event)
    colours = in_colour()
    parts = [
        time.strftime("%H:%M:%S"),
        str(event.id)[-8:] if whole else str(event.id),
        f"{event.job or '?':<24}" if whole else event.job or "?",
        click.style(f"{word:<10}" if whole else word, fg=colour) if colours else f"{word:<10}",
        f"{span(_duration(event)):>8}" if whole else "",
        one_line(detail),
    ]
    return "  ".join(part for part in parts if part).rstrip()


def _duration(event: JobEvent) -> float | None:
    ran = event.duration if isinstance(event, SettledEvent) else 0.0
    return ran or None


def _outcome(event: JobEvent) -> tuple[str, str, str]:
    """A word, its colour and what is to be said besides."""
    match event:
        case events.JobProcessed(result=result):
            return result, "green" if result == "done" else "cyan", ""
        case events.JobReleased(delay=delay):
            return "released", "yellow", _again(delay)
        case events.JobReleasedAfterException(delay=delay, error=error):
            return "retry", "yellow", f"{_again(delay)}: {_said(error)}"
        case events.JobFailed(reason=reason, error=error):
            return "failed", "red", reason if error is None else _said(error)
        case events.JobUnknown(delay=delay, seen=seen):
            known = "no imported module has a job of this name"
            return "unknown", "yellow", f"{_again(delay)}: {known} (seen {counted(seen, 'time')})"
    return "lost", "red", "its lease ran out: another worker has it now"


def _again(delay: float) -> str:
    return f"again in {span(delay)}" if delay else "again at once"


def _said(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}".removesuffix(": ")
    except Exception:  # an exception whose __str__ raises
        return type(error).__name__
