"""What is logged where nobody configured logging: a line each on stderr, for people or for programs."""

import logging
import sys
import traceback
from contextlib import suppress

from msgspec import Struct

from packhorse.logs import JsonLines
from packhorse.worker.failure import text_of

_JOBS = logging.getLogger("packhorse.job")


class Manner(Struct, frozen=True):
    """As `json`, or as text; what `jobs` say by `ctx.log` from INFO on, all else from WARNING."""

    json: bool = False
    jobs: bool = False


class LastResort(logging.Handler):
    """Stands in for `logging.lastResort`, so that handlers of the user's own win over it."""

    def __init__(self, manner: Manner) -> None:
        super().__init__()
        self.manner = manner
        self.setFormatter(JsonLines() if manner.json else OneLine())

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING or record.name == _JOBS.name

    def emit(self, record: logging.LogRecord) -> None:
        try:
            with suppress(OSError):  # nobody reads stderr any more
                sys.stderr.write(self.format(record) + "\n")
        except Exception:
            self.handleError(record)


class OneLine(logging.Formatter):
    """A record as a line of text; of an exception it has type, text and place."""

    def format(self, record: logging.LogRecord) -> str:
        said = [f"packhorse: {record.levelname.lower()}"]
        if record.name == _JOBS.name:
            said.append(f"job {getattr(record, 'job', '')} {getattr(record, 'id', '')}")
        said += [record.getMessage(), *_cause(record)]
        return " ".join(": ".join(said).split())


def _cause(record: logging.LogRecord) -> list[str]:
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return []
    place = ""
    for frame in traceback.extract_tb(error.__traceback__)[-1:]:
        place = f" ({frame.filename}, line {frame.lineno})"
    return [type(error).__name__, f"{text_of(error)}{place}"]


def install(manner: Manner) -> None:
    """From now on in this process; to be called again once what may configure logging is imported."""
    logging.lastResort = LastResort(manner)
    if manner.jobs and _JOBS.level == logging.NOTSET and not _JOBS.hasHandlers():
        _JOBS.setLevel(logging.INFO)


def installed() -> Manner | None:
    """What was installed in this process."""
    handler = logging.lastResort
    return handler.manner if isinstance(handler, LastResort) else None
