"""What packhorse knows of one job: its name, options and arguments, and how to run it."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, Struct

from packhorse.errors import JobDefinitionError
from packhorse.options import Middleware, OptionSet, check
from packhorse.payload import Payload

if TYPE_CHECKING:
    from packhorse.context import JobContext
    from packhorse.pending import Pending

Run = Callable[["JobContext", Any], object]
"""Calls the handler with a context and the arguments; gives its result, or a coroutine."""

Prepare = Callable[[Any, "Pending[Any]"], object]
"""Asked with the arguments and the pending job before it is pushed; see `prepared`."""


class Definition:
    """One job, as registered under its name; the same for a function and a class.

    `module` is where its code is, `arguments` gives the Struct type of the payload (late, because
    annotations may refer to what is defined below the job), `run` calls the handler, `methods` are
    options that a class computes from its arguments, `on_failed` is the class's `failed`,
    `on_interrupted` its `interrupted`, `prepare` what is asked before each push, `classes` are a class
    job's class and its bases, the nearest first, and `returns` is what the handler's annotation says of
    its result, late as well.

    `encode` and `decode` are those of the arguments' `Payload`; `result` is the result's.
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
        module: str = "",
        methods: Mapping[str, Callable[..., Any]] | None = None,
        on_failed: Callable[[Any, BaseException], object] | None = None,
        on_interrupted: Callable[[Any, int], object] | None = None,
        prepare: "Prepare | None" = None,
        classes: tuple[type, ...] = (),
        returns: Callable[[], Any] = lambda: Any,
    ) -> None:
        self.name = name
        self.origin = origin
        self.options = options
        self.run = run
        self.is_async = is_async
        self.module = module
        self.methods = methods or {}
        self.on_failed = on_failed
        self.on_interrupted = on_interrupted
        self.prepare = prepare
        self.classes = classes
        self._arguments = arguments
        payload = Payload(name, "arguments", arguments)
        self.encode, self.decode = payload.encode, payload.decode
        self.result: Payload[Any] = Payload(name, "result", returns)
        with suppress(NameError):  # a forward reference is checked at first use
            self.check()

    @property
    def may_keep_result(self) -> bool:
        """Whether its keyword says that its result is kept, or a method may say so."""
        return bool(self.options.keep_result) or "keep_result" in self.methods

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
        if self.options.keep_result:
            try:
                missing += unregistered(self.result.type())
            except TypeError as error:
                raise JobDefinitionError(f"job {self.name}: its result: {error}") from None
        return missing

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

    def __repr__(self) -> str:
        return f"<job {self.name}>"


def refuse_generator(owner: str, handler: Callable[..., object]) -> None:
    """Raises `JobDefinitionError` for a handler with a `yield`: calling it would run nothing."""
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise JobDefinitionError(
            f"{owner}: a generator cannot be a job, nobody would iterate it; return instead of yield"
        )


def returned(handler: Callable[..., object], names: dict[str, Any]) -> Any:
    """What a handler's annotation says of its result, Any if nothing; raises NameError for a forward one."""
    import typing

    said = inspect.unwrap(handler).__annotations__.get("return", Any)
    part = SimpleNamespace(__annotations__={"return": said})
    return typing.get_type_hints(part, names, include_extras=True)["return"]


def msgspec_fields(arguments: type[Struct]) -> list[tuple[str, object]]:
    """The payload's fields with their annotations resolved; raises NameError for a forward one."""
    import typing

    hints = typing.get_type_hints(arguments, include_extras=True)
    return [(name, hints[name]) for name in arguments.__struct_fields__]
