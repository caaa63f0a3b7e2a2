"""Log records that know their job, and `JsonLines`, which writes any record as a line of JSON."""

import logging
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from packhorse.context import JobContext, decoded
from packhorse.worker.failure import text_of, traceback_of

_OF_EVERY_RECORD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class JobLog(logging.LoggerAdapter[logging.Logger]):
    """`ctx.log`: its records have the job's facts as attributes, beside those given as `extra`."""

    def __init__(self, context: JobContext) -> None:
        super().__init__(logging.getLogger("packhorse.job"), facts(context))

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **(self.extra or {})}
        return msg, kwargs


class JsonLines(logging.Formatter):
    """Makes of a record one JSON object without a line break, whatever the record holds.

    It has `at` (UTC), `level`, `logger` and `message`; of an exception `error` and `traceback`; then
    what the record has besides, such as the facts of its job: `id`, `job`, `queue`, `attempt`. What is
    logged below a handler has these whichever logger was used.
    """

    def format(self, record: logging.LogRecord) -> str:
        context = JobContext.current()
        said = {} if context is None else facts(context)
        said |= {k: v for k, v in record.__dict__.items() if k not in _OF_EVERY_RECORD}
        ours = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **_exception(record),
        }
        if record.stack_info:
            ours["stack"] = record.stack_info
        return json_line(ours | {name: value for name, value in said.items() if name not in ours})


def facts(context: JobContext) -> dict[str, object]:
    """What a record says of its job; `carried` is what travelled with it and is not hidden by a `_`."""
    known: dict[str, object] = {"id": str(context.id), "job": context.job, "queue": context.queue}
    known["attempt"] = context.attempt
    shown = {name: raw for name, raw in context.came_with.items() if not name.startswith("_")}
    if shown:
        known["carried"] = decoded(shown)
    return known


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # the arguments do not fit the text
        return f"{_text(record.msg)} {_text(record.args)}"


def _exception(record: logging.LogRecord) -> dict[str, str]:
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return {}
    text = f"{type(error).__name__}: {text_of(error)}".removesuffix(": ")
    return {"error": text, "traceback": traceback_of(error)}


def json_line(said: dict[str, object]) -> str:
    """These as one JSON object without a line break; what cannot be in JSON is there as text."""
    try:
        return _encode(said).decode()
    except Exception:  # a value that refers to itself, half of a character
        return _encode({_text(name): _tame(value) for name, value in said.items()}).decode()


def _tame(value: object) -> object:
    try:
        _encode(value)
    except Exception:
        return _text(value)
    return value


def _text(value: object) -> str:
    try:
        text = str(value)
    except Exception as error:
        text = f"<no text: {type(error).__name__}>"
    return text.encode("utf-8", "backslashreplace").decode()


_encode = msgspec.json.Encoder(enc_hook=_text).encode
