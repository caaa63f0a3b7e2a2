"""`@job`: a function that can be dispatched."""

import functools
import inspect
import typing
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, Unpack, overload

import msgspec
from msgspec import Struct

from packhorse.context import JobContext, detached, is_context
from packhorse.definition import Definition, refuse_generator, returned
from packhorse.errors import InvalidPayload, JobDefinitionError
from packhorse.options import NOTHING, Options, OptionSet, check, merge
from packhorse.payload import unresolved
from packhorse.pending import Pending
from packhorse.registry import default_name, register

if TYPE_CHECKING:
    from packhorse.handle import JobHandle

P = ParamSpec("P")
C = TypeVar("C")  # what a plain call gives: the result, or an awaitable of it
R = TypeVar("R")  # the result


class FunctionJob(Generic[P, C, R]):
    """A function that is a job: call it as ever, or dispatch it with the same arguments."""

    def __init__(
        self,
        function: Callable[..., Any],
        definition: Definition,
        bind: Callable[..., Struct],
        wants_context: bool,
        call_with: Callable[[Callable[..., Any]], Callable[[Any, Any], object]],
        overrides: OptionSet = NOTHING,
    ) -> None:
        functools.update_wrapper(self, function)
        self.definition = definition
        self._function = function
        self._bind = bind
        self._wants_context = wants_context
        self._call_with = call_with
        self._overrides = overrides

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> C:
        """Runs the function here, like any function; a `JobContext` is the current or a detached one."""
        if self._wants_context:
            context = JobContext.current() or detached(self.definition.name)
            return typing.cast(C, self._function(context, *args, **kwargs))
        return typing.cast(C, self._function(*args, **kwargs))

    def dispatch(self, *args: P.args, **kwargs: P.kwargs) -> "JobHandle[R]":
        """Pushes the job; when it returns, the broker has it.

        Raises `InvalidPayload` for arguments that do not fit, `ConnectionLost` if the broker is away.
        """
        return self.bind(*args, **kwargs).dispatch()

    async def dispatch_async(self, *args: P.args, **kwargs: P.kwargs) -> "JobHandle[R]":
        """`dispatch` off the event loop."""
        return await self.bind(*args, **kwargs).dispatch_async()

    def dispatch_sync(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs the job here through the whole attempt path: middleware, retries, events."""
        return self.bind(*args, **kwargs).dispatch_sync()

    def using(self, **options: Unpack[Options]) -> "FunctionJob[P, C, R]":
        """The same job with options for the messages that are sent through it."""
        more = check(f"job {self.definition.name}", options, message=True)
        return FunctionJob(
            self._function,
            self.definition,
            self._bind,
            self._wants_context,
            self._call_with,
            merge(self._overrides, more),
        )

    def prepare_for_dispatch(
        self, function: Callable[Concatenate[Pending[R], P], "bool | Pending[R] | None"], /
    ) -> Callable[Concatenate[Pending[R], P], "bool | Pending[R] | None"]:
        """Decorates a function that is called before each push, in the thread that dispatches.

        It takes the pending job and the job's own arguments, and gives False to push nothing,
        `pending.using(…)` to change options, or nothing. What it raises stops the dispatch.
        """
        if inspect.iscoroutinefunction(function):
            raise JobDefinitionError(
                f"job {self.definition.name}: prepare_for_dispatch takes an ordinary function, no async def"
            )
        call = self._call_with(function)
        self.definition.prepare = lambda arguments, pending: call(pending, arguments)
        return function

    def bind(self, *args: P.args, **kwargs: P.kwargs) -> Pending[R]:
        """The job with these arguments as a value; raises `InvalidPayload` if they do not fit."""
        try:
            arguments = self._bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidPayload(f"job {self.definition.name}: {error}") from None
        except NameError as error:
            raise unresolved(self.definition.name, error) from None
        return Pending(self.definition, arguments, self._overrides)

    def __repr__(self) -> str:
        return repr(self.definition)


@overload
def job(
    function: Callable[Concatenate[JobContext, P], Awaitable[R]], /
) -> FunctionJob[P, Awaitable[R], R]: ...
@overload
def job(function: Callable[Concatenate[JobContext, P], R], /) -> FunctionJob[P, R, R]: ...
@overload
def job(function: Callable[P, Awaitable[R]], /) -> FunctionJob[P, Awaitable[R], R]: ...
@overload
def job(function: Callable[P, R], /) -> FunctionJob[P, R, R]: ...
@overload
def job(**options: Unpack[Options]) -> "Decorator": ...
def job(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Makes a function a job, with or without options: `@job` or `@job(tries=5)`.

    A first parameter annotated `JobContext` is injected and no part of the payload. Raises
    `JobDefinitionError` for options or parameters that cannot work.
    """
    if function is None:
        return lambda function: _make(function, options)
    return _make(function, options)


class Decorator(typing.Protocol):
    """What `@job(...)` with options gives: it takes the function."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[JobContext, P], Awaitable[R]], /
    ) -> FunctionJob[P, Awaitable[R], R]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[JobContext, P], R], /
    ) -> FunctionJob[P, R, R]: ...
    @overload
    def __call__(
        self, function: Callable[P, Awaitable[R]], /
    ) -> FunctionJob[P, Awaitable[R], R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> FunctionJob[P, R, R]: ...


def _make(function: Callable[..., Any], options: dict[str, Any]) -> FunctionJob[Any, Any, Any]:
    if not inspect.isfunction(function):
        raise JobDefinitionError(f"@job takes a function, not {function!r}")
    origin = default_name(function.__module__, function.__qualname__)
    refuse_generator(f"job {origin}", function)
    chosen = check(f"job {origin}", options)
    name = chosen.name or origin
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    scope = inspect.unwrap(function).__globals__
    wants_context = _wants_context(name, parameters, scope)
    if wants_context:
        parameters = parameters[1:]
    _check_parameters(name, parameters, scope)
    simple = all(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)

    @functools.cache
    def arguments() -> type[Struct]:
        # The context and the result do not travel, so their annotations need not be there.
        said = {p.name: p.annotation for p in parameters if p.annotation is not p.empty}
        part = SimpleNamespace(__annotations__=said)
        hints = typing.get_type_hints(part, scope, include_extras=True)
        fields = [
            (p.name, hints.get(p.name, Any), _default(p))
            if p.default is not p.empty
            else (p.name, hints.get(p.name, Any))
            for p in parameters
        ]
        return msgspec.defstruct(
            f"{function.__name__}_arguments",
            fields,
            kw_only=not simple,
            forbid_unknown_fields=True,  # an argument must not be dropped without a word
        )

    def bind(*args: Any, **kwargs: Any) -> Struct:
        if simple:
            return arguments()(*args, **kwargs)
        bound = signature.replace(parameters=parameters).bind(*args, **kwargs)
        return arguments()(**bound.arguments)

    definition = Definition(
        name,
        origin,
        chosen,
        arguments,
        _runner(function, parameters, wants_context, simple),
        is_async=inspect.iscoroutinefunction(function),
        module=function.__module__,
        returns=lambda: returned(function, scope),
    )
    register(definition)
    return FunctionJob(
        function,
        definition,
        bind,
        wants_context,
        lambda another: _runner(another, parameters, True, simple),
    )


def _wants_context(name: str, parameters: list[inspect.Parameter], scope: dict[str, Any]) -> bool:
    first = parameters[0] if parameters else None
    if first is None or first.kind not in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD):
        return False
    if is_context(first.annotation, scope):
        return True
    if first.annotation in (first.empty, object, Any):
        # A type checker takes such a parameter for the context and drops it from dispatch().
        raise JobDefinitionError(
            f"job {name}: annotate the first parameter {first.name!r} "
            "(JobContext, or the type of the argument)"
        )
    return False


def _check_parameters(
    name: str, parameters: list[inspect.Parameter], scope: dict[str, Any]
) -> None:
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise JobDefinitionError(
                f"job {name}: parameter {parameter} cannot travel by name; take a list or a dict instead"
            )
        if is_context(parameter.annotation, scope):
            raise JobDefinitionError(
                f"job {name}: the JobContext {parameter.name!r} must be the first parameter, before any *"
            )


def _default(parameter: inspect.Parameter) -> Any:
    return msgspec.field(default_factory=lambda: parameter.default)


def _runner(
    function: Callable[..., Any],
    parameters: list[inspect.Parameter],
    wants_context: bool,
    simple: bool,
) -> Callable[[Any, Any], object]:
    """What calls a function with a context, if it wants one, and the arguments out of a message."""
    astuple = msgspec.structs.astuple
    if simple:
        if wants_context:
            return lambda context, arguments: function(context, *astuple(arguments))
        return lambda context, arguments: function(*astuple(arguments))
    positional = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]

    def run(context: Any, arguments: Any) -> object:
        args = [getattr(arguments, name) for name in positional]
        kwargs = {name: getattr(arguments, name) for name in keywords}
        return function(*([context] if wants_context else []), *args, **kwargs)

    return run
