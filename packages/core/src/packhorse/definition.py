"""What packhorse knows of one job: its name, options and arguments, and how to run it."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct

from packhorse.errors import InvalidPayload, JobDefinitionError
from packhorse.options import Middleware, OptionSet, check
from packhorse.wire.serializer import JSON, Serializer
from packhorse.wire.types import decode_custom, encode_custom

if TYPE_CHECKING:
    from packhorse.context import JobContext
    from packhorse.pending import Pending

Run = Callable[["JobContext", Any], object]
"""Calls the handler with a context and the arguments; gives its result, or a coroutine."""

Prepare = Callable[[Any, "Pending[Any]"], object]
"""Asked with the arguments and the pending job before it is pushed; see `prepared`."""


class Definition:
    """One job, as registered under its name; the same for a function and a class.

    `arguments` gives the Struct type of the payload (late, because annotations may refer to what is
    defined below the job), `run` calls the handler, `methods` are options that a class computes from
    its arguments, `on_failed` is the class's `failed`, `prepare` what is asked before each push, and
    `classes` are a class job's class and its bases, the nearest first.
    """

    def __init__(
        self,
        name: str,
        origin: str,
        options: OptionSet,
        arguments: Callable[[], type[Struct]],
        run: Run,
        *,
        is_async: bool,
        methods: Mapping[str, Callable[..., Any]] | None = None,
        on_failed: Callable[[Any, BaseException], object] | None = None,
        prepare: "Prepare | None" = None,
        classes: tuple[type, ...] = (),
    ) -> None:
        self.name = name
        self.origin = origin
        self.options = options
        self.run = run
        self.is_async = is_async
        self.methods = methods or {}
        self.on_failed = on_failed
        self.prepare = prepare
        self.classes = classes
        self._arguments = arguments
        self._decoders: dict[str, Callable[[bytes], Struct]] = {}
        with suppress(NameError):  # a forward reference is checked at first use
            self.check()

    def computes(self, names: frozenset[str]) -> bool:
        """Whether any of these options depends on the arguments."""
        return bool(self.methods) and not names.isdisjoint(self.methods)

    @property
    def aliases(self) -> tuple[str, ...]:
        return () if self.options.aliases is UNSET else self.options.aliases

    def check(self) -> list[str]:
        """Raises `JobDefinitionError` for an annotation that cannot travel.

        Gives the names of types that can only if a plugin registers them.
        """
        from packhorse.wire.annotations import unregistered

        missing = []
        for field, annotation in msgspec_fields(self._arguments()):
            try:
                missing += unregistered(annotation)
            except TypeError as error:
                raise JobDefinitionError(f"job {self.name}: argument {field!r}: {error}") from None
        return missing

    def encode(
        self, arguments: Struct, serializer: Serializer = JSON, validate: bool = True
    ) -> bytes:
        """The arguments as they travel; raises `InvalidPayload` for what does not fit the annotations."""
        try:
            data = serializer.encode(arguments)
        except Exception as error:  # a type's own way of writing may raise anything
            raise self._unfit(error) from error
        if validate:
            self._check_sent(arguments, data, serializer)
        return data

    def decode(self, data: bytes, serializer: Serializer = JSON) -> Struct:
        """The arguments of a message; raises `InvalidPayload` for what does not fit the annotations."""
        decode = self._decoders.get(serializer.name)
        try:
            if decode is None:
                decode = self._decoders[serializer.name] = serializer.decoder(self._arguments())
            return decode(data)
        except NameError as error:
            raise unresolved(self.name, error) from None
        except Exception as error:  # a type's own way of reading may raise anything
            raise InvalidPayload(f"job {self.name}: wrong arguments: {error}") from error

    def option(self, name: str, arguments: Struct) -> Any:
        """An option of this job: the method's answer, the keyword's value or UNSET.

        Raises `JobDefinitionError` for an answer that is none, and what the method raises. A method
        that answers None leaves it to the keyword.
        """
        method = self.methods.get(name)
        if method is None:
            return getattr(self.options, name)
        answer = method(arguments)
        if answer is None:
            return getattr(self.options, name)
        return getattr(check(f"job {self.name}, {name}()", {name: answer}), name)

    def middleware(self, arguments: Struct) -> Sequence[Middleware]:
        """What the job wants round its handler, outermost first."""
        found = self.option("middleware", arguments)
        return () if found is UNSET else tuple(found)

    def _check_sent(self, arguments: Struct, data: bytes, serializer: Serializer) -> None:
        """Raises `InvalidPayload` where the job would not get what is sent.

        What is read back as it was is right. The rest is looked at closely: JSON has no NaN, and a
        text may have been bytes or a date.
        """
        wrong: InvalidPayload | None = None
        try:
            if self.decode(data, serializer) == arguments:
                return
        except InvalidPayload as error:
            wrong = error
        plain = _plain(arguments)
        if serializer.name == JSON.name and has_nan(plain):
            raise InvalidPayload(
                f"job {self.name}: the arguments hold a NaN or an infinity, which JSON cannot carry"
            )
        if wrong is not None:
            raise wrong
        try:
            msgspec.convert(plain, self._arguments(), dec_hook=decode_custom)
        except Exception as error:
            raise self._unfit(error) from error

    def _unfit(self, error: Exception) -> InvalidPayload:
        return InvalidPayload(f"job {self.name}: the arguments cannot be sent: {error}")

    def __repr__(self) -> str:
        return f"<job {self.name}>"


def refuse_generator(owner: str, handler: Callable[..., object]) -> None:
    """Raises `JobDefinitionError` for a handler with a `yield`: calling it would run nothing."""
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise JobDefinitionError(
            f"{owner}: a generator cannot be a job, nobody would iterate it; return instead of yield"
        )


def unresolved(job: str, error: NameError) -> JobDefinitionError:
    """What to raise when an annotation names something that does not exist."""
    return JobDefinitionError(
        f"job {job}: an annotation needs {error.name!r}, which does not exist when the job is used; "
        "define or import it in the job's module, and not only for type checkers"
    )


def msgspec_fields(arguments: type[Struct]) -> list[tuple[str, object]]:
    """The payload's fields with their annotations resolved; raises NameError for a forward one."""
    import typing

    hints = typing.get_type_hints(arguments, include_extras=True)
    return [(name, hints[name]) for name in arguments.__struct_fields__]


def _plain(arguments: Struct) -> object:
    """The arguments as JSON has them, but with bytes, dates and the like still apart from text."""
    return msgspec.to_builtins(arguments, builtin_types=_APART, enc_hook=encode_custom)


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
