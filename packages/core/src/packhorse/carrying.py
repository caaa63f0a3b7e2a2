"""What travels beside the arguments: values that are set round a dispatch and are there in the job.

Set in a dispatcher (a request's id, a tenant), they travel in the message's context, are there while
the job runs, and go on to what that job dispatches. Each thread, task and job has its own.
"""

import contextvars
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, overload

import msgspec
from msgspec import Raw

from packhorse.context import JobContext, decoded
from packhorse.errors import InvalidPayload
from packhorse.payload import has_nan
from packhorse.wire.serializer import JSON
from packhorse.wire.types import decode_custom

T = TypeVar("T")

Carrier = Callable[[], Mapping[str, object]]
"""Asked at each push what is to travel as well."""

_NOTHING: Mapping[str, Raw] = {}
# With whose they are: a job must not see what another left behind in its thread, nor a job that
# runs inside a request what the request has set since.
_here: contextvars.ContextVar[tuple[JobContext | None, Mapping[str, Raw]]] = contextvars.ContextVar(
    "packhorse_carried", default=(None, _NOTHING)
)


@contextmanager
def carry(**values: object) -> Iterator[None]:
    """Lets values travel with all that is dispatched in the block, beside what travels already.

    They must be what JSON can carry. One whose name begins with `_` is left out of logs. Raises
    `InvalidPayload` for what cannot travel.
    """
    token = _here.set((JobContext.current(), {**outgoing(), **_encoded(values)}))
    try:
        yield
    finally:
        _here.reset(token)


@overload
def carried() -> Mapping[str, object]: ...
@overload
def carried(name: str, type: type[T]) -> T | None: ...
def carried(name: str | None = None, type: Any = object) -> Any:
    """All that travels here, as JSON has it; or one value as a type, None if it is not there.

    In a job, what its dispatcher carried. Raises `InvalidPayload` if the value is not of that type.
    """
    here = outgoing()
    if name is None:
        return decoded(here)
    if name not in here:
        return None
    try:
        return msgspec.json.decode(here[name], type=type, dec_hook=decode_custom)
    except ValueError as error:
        raise InvalidPayload(f"what is carried as {name!r} is not of that type: {error}") from error


def outgoing(carriers: Sequence[Carrier] = ()) -> Mapping[str, Raw]:
    """What travels with a push from here, with what carriers add to it."""
    job = JobContext.current()
    owner, values = _here.get()
    if owner is not job:
        values = _NOTHING if job is None else job.came_with
    for carrier in carriers:
        values = {**values, **_encoded(carrier())}
    return values


def _encoded(values: Mapping[str, object]) -> dict[str, Raw]:
    encoded = {}
    for name, value in values.items():
        if has_nan(value):
            raise InvalidPayload(f"{name!r} cannot be carried: JSON has no NaN and no infinity")
        try:
            encoded[name] = Raw(JSON.encode(value))
        except Exception as error:  # a type's own way of writing may raise anything
            raise InvalidPayload(f"{name!r} cannot be carried: {error}") from error
    return encoded
