"""An exception as it is kept: type, message and traceback, cut to size, the first and the last four."""

import traceback
from types import TracebackType

from packhorse.wire.envelope import Failure

LIMIT = 4096
"""Bytes that the texts of one failure may take: type, message and traceback together."""
_TYPE, _MESSAGE = 256, 1024
FIRST, LAST = 1, 4
TRACEBACK = "packhorse_traceback"
"""The attribute with the traceback of an exception that was raised in another process, as text."""


def failure(error: BaseException, attempt: int, at: float, worker: str) -> Failure:
    """One attempt's failure; of a long traceback the end is kept, where the error stands."""
    kind = type(error)
    name = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    message = head(text_of(error), _MESSAGE)
    lines = _tail(traceback_of(error), LIMIT - _MESSAGE - _TYPE)
    return Failure(attempt, head(name, _TYPE), message, lines, at, worker)


def keep(failures: tuple[Failure, ...], new: Failure) -> tuple[Failure, ...]:
    """The failures with one more: the first and the last four stay."""
    every = (*failures, new)
    return every if len(every) <= FIRST + LAST else (*every[:FIRST], *every[-LAST:])


def traceback_of(error: BaseException) -> str:
    """The traceback as text; of a deep one its innermost frames."""
    elsewhere = getattr(error, TRACEBACK, None)
    if isinstance(elsewhere, str):
        return elsewhere
    try:
        return "".join(
            traceback.format_exception(type(error), error, _own(error.__traceback__), limit=-30)
        )
    except Exception as broken:  # a SyntaxError may carry anything for its text
        return f"<no traceback: formatting it raised {type(broken).__name__}>"


def _own(trace: TracebackType | None) -> TracebackType | None:
    """A traceback from the first frame that is not the core's: how the handler was called is no news."""
    first = trace
    while first is not None and _is_core(first):
        first = first.tb_next
    return first or trace


def _is_core(trace: TracebackType) -> bool:
    return str(trace.tb_frame.f_globals.get("__name__", "")).startswith("packhorse.")


def text_of(error: BaseException) -> str:
    """What an exception says, whatever its `__str__` does."""
    try:
        return str(error)
    except BaseException as broken:
        return f"<no text: its __str__ raised {type(broken).__name__}>"


def _clean(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")  # lone surrogates cannot travel as JSON


def head(text: str, limit: int) -> str:
    """The start of a text in up to `limit` bytes, in characters that can travel."""
    data = _clean(text)
    if len(data) <= limit:
        return data.decode()
    return data[: limit - _MARK].decode("utf-8", "ignore") + "…"


def _tail(text: str, limit: int) -> str:
    data = _clean(text)
    if len(data) <= limit:
        return data.decode()
    return "…" + data[_MARK - limit :].decode("utf-8", "ignore")


_MARK = len("…".encode())
