"""What marks a middleware that asks the store before its job starts."""

from collections.abc import Callable
from typing import TypeVar

M = TypeVar("M", bound=Callable[..., object])


def guard(middleware: M) -> M:
    """Marks a middleware, a generator function or a class of such, as one that asks the store.

    It yields an `Update` and is sent the answer, as often as it likes before its plain `yield`; it may
    yield others after that, whose answers nobody waits for. A worker asks for all jobs that it has
    just reserved together, in the thread that reserves, so nothing in it may block. Guards stand
    outside of all other middleware.
    """
    middleware.asks_store = True  # type: ignore[attr-defined]
    return middleware


def is_guard(middleware: object) -> bool:
    """Whether a middleware is marked."""
    return getattr(middleware, "asks_store", False) is True
