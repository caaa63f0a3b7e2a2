"""An exception as it is kept: type, message and traceback, cut to size, the first and the last four."""

import traceback
from types import TracebackType

from packhorse.wire.envelope import Failure

LIMIT = 4096
"""Bytes that one failure may take, its traceback and message together."""
FIRST, LAST = 1, 4


def failure(error: BaseException, attempt: int, at: float, worker: str) -> Failure:
    """One attempt's failure; of a long traceback the end is kept, where the error stands."""
    kind = type(error)
    name = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    message = head(text_of(error), LIMIT // 4)
    lines = "".join(traceback.format_exception(kind, error, _own(error.__traceback__), limit=-30))
    return Failure(attempt, name, message, _tail(lines, LIMIT - LIMIT // 4), at, worker)


def keep(failures: tuple[Failure, ...], new: Failure) -> tuple[Failure, ...]:
    """The failures with one more: the first and the last four stay."""
    every = (*failures, new)
    return every if len(every) <= FIRST + LAST else (*every[:FIRST], *every[-LAST:])


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
    """The first `limit` bytes of a text, in characters that can travel."""
    data = _clean(text)
    return data[:limit].decode("utf-8", "ignore") + ("…" if len(data) > limit else "")


def _tail(text: str, limit: int) -> str:
    data = _clean(text)
    return ("…" if len(data) > limit else "") + data[-limit:].decode("utf-8", "ignore")
