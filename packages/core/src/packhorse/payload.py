"""Values of one annotated type, a job's arguments or its result: to bytes and back, checked."""

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Generic, TypeVar
from uuid import UUID

import msgspec

from packhorse.errors import InvalidPayload, JobDefinitionError
from packhorse.wire.serializer import JSON, Serializer
from packhorse.wire.types import decode_custom, encode_custom

T = TypeVar("T")


class Payload(Generic[T]):
    """What travels of one job, called `what` in errors; its `type` comes late, because annotations
    may refer to what is defined below the job."""

    def __init__(self, job: str, what: str, type: Callable[[], type[T]]) -> None:
        self.type = type
        self._job = job
        self._what = what
        self._decoders: dict[str, Callable[[bytes], T]] = {}

    def encode(self, value: object, serializer: Serializer = JSON, validate: bool = True) -> bytes:
        """The value as it travels; raises `InvalidPayload` for what does not fit the annotations."""
        try:
            data = serializer.encode(value)
        except Exception as error:  # a type's own way of writing may raise anything
            raise self._unfit(error) from error
        if validate:
            self._check(value, data, serializer)
        return data

    def decode(self, data: bytes, serializer: Serializer = JSON) -> T:
        """The value out of bytes; raises `InvalidPayload` for what does not fit the annotations."""
        decode = self._decoders.get(serializer.name)
        try:
            if decode is None:
                decode = self._decoders[serializer.name] = serializer.decoder(self.type())
            return decode(data)
        except NameError as error:
            raise unresolved(self._job, error) from None
        except Exception as error:  # a type's own way of reading may raise anything
            raise InvalidPayload(f"job {self._job}: wrong {self._what}: {error}") from error

    def _check(self, value: object, data: bytes, serializer: Serializer) -> None:
        """Raises `InvalidPayload` where nobody would get what was given.

        What is read back as it was is right. The rest is looked at closely: JSON has no NaN, and a
        text may have been bytes or a date.
        """
        wrong: InvalidPayload | None = None
        try:
            if self.decode(data, serializer) == value:
                return
        except InvalidPayload as error:
            wrong = error
        plain = _plain(value)
        if serializer.name == JSON.name and has_nan(plain):
            raise InvalidPayload(
                f"job {self._job}: the {self._what} holds a NaN or an infinity, which JSON cannot carry"
            )
        if wrong is not None:
            raise wrong
        try:
            msgspec.convert(plain, self.type(), dec_hook=decode_custom)
        except Exception as error:
            raise self._unfit(error) from error

    def _unfit(self, error: Exception) -> InvalidPayload:
        return InvalidPayload(f"job {self._job}: the {self._what} cannot be sent: {error}")


def unresolved(job: str, error: NameError) -> JobDefinitionError:
    """What to raise when an annotation names something that does not exist."""
    return JobDefinitionError(
        f"job {job}: an annotation needs {error.name!r}, which does not exist when the job is used; "
        "define or import it in the job's module, and not only for type checkers"
    )


def _plain(value: object) -> object:
    """A value as JSON has it, but with bytes, dates and the like still apart from text."""
    return msgspec.to_builtins(value, builtin_types=_APART, enc_hook=encode_custom)


_APART = (bytes, bytearray, datetime, date, time, timedelta, UUID, Decimal)


def has_nan(value: object) -> bool:
    """Whether a value, or one inside it, is a float that JSON cannot carry."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(has_nan(v) for v in value.values())
    if isinstance(value, list | tuple):
        return any(has_nan(v) for v in value)
    return False
