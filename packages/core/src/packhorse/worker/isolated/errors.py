"""An exception that leaves its process: as values, and rebuilt on the other side as well as can be.

What travels is plain data. The class is looked up among what the receiving process has imported, and
its own code is not run; a class that is not there, or whose text would not be the same, is stood in
for by one of its name.
"""

import sys
from collections.abc import Sequence

from msgspec import Struct

from packhorse.worker.failure import TRACEBACK, text_of, traceback_of

_PLAIN = (str, int, float, bool, type(None))


class Told(Struct, frozen=True):
    """An exception as values; `args` is empty where they are more than texts and numbers."""

    module: str
    name: str
    text: str
    traceback: str
    args: Sequence[str | int | float | bool | None] = ()


def told(error: BaseException) -> Told:
    """An exception as it travels."""
    kind = type(error)
    args = error.args if all(type(one) in _PLAIN for one in error.args) else ()
    fits = all(not isinstance(one, int) or -(2**63) <= one < 2**63 for one in args)
    text = _clean(text_of(error))
    args = tuple(_clean(one) if isinstance(one, str) else one for one in args if fits)
    return Told(kind.__module__, kind.__qualname__, text, _clean(traceback_of(error)), args)


def rebuilt(told: Told) -> BaseException:
    """The exception again, with the traceback that it had as text."""
    kind = _find(told)
    error = None if kind is None else _made(kind, told)
    if error is None:
        error = _stand_in(kind or Exception, told)
    setattr(error, TRACEBACK, told.traceback)
    return error


def _find(told: Told) -> type[BaseException] | None:
    found: object = sys.modules.get(told.module)
    for name in told.name.split("."):
        found = getattr(found, name, None)
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def _made(kind: type[BaseException], told: Told) -> BaseException | None:
    """An instance without a call of `__init__`, if it says the same as the original."""
    try:
        error = kind.__new__(kind, *told.args)
        error.args = tuple(told.args)
        setattr(error, TRACEBACK, told.traceback)
    except BaseException:  # a class may refuse in any way
        return None
    return error if text_of(error) == told.text else None


def _stand_in(kind: type[BaseException], told: Told) -> BaseException:
    body = {"__module__": told.module, "__qualname__": told.name, "__str__": lambda _: told.text}
    name = told.name.rpartition(".")[2]
    try:
        another: type[BaseException] = type(name, (kind,), body)
        error = another.__new__(another)
        error.args = (told.text,)
    except BaseException:
        return type(name, (Exception,), body)(told.text)  # type: ignore[no-any-return]
    return error


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()  # lone surrogates cannot travel
