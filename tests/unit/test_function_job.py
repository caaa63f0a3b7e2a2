"""`@job`: what functions it takes, what a call of one means, and what travels."""

import asyncio
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

import packhorse
from packhorse import (
    InvalidPayload,
    JobContext,
    JobDefinitionError,
    Packhorse,
    Pending,
    job,
    registry,
)
from packhorse import JobContext as Context
from packhorse.options import NOTHING

if TYPE_CHECKING:
    from decimal import Decimal as OnlyForTypeCheckers


def sent(pending: Pending[Any]) -> bytes:
    """The arguments as they travel."""
    return pending.definition.encode(pending.arguments)


def test_a_call_is_a_call() -> None:
    @job
    def add(a: int, b: int = 2) -> int:
        """Adds."""
        return a + b

    assert add(1) == 3
    assert add(1, b=5) == 6
    assert add.__doc__ == "Adds."
    assert repr(add) == f"<job {__name__}.test_a_call_is_a_call.<locals>.add>"


def test_a_call_of_an_async_job_gives_what_is_to_be_awaited() -> None:
    @job
    async def add(a: int) -> int:
        return a + 1

    async def caller() -> int:
        return await add(1)

    assert asyncio.run(caller()) == 2


def test_a_plain_call_gets_a_context_that_has_no_effect() -> None:
    @job(name="asks")
    def asks(ctx: JobContext, a: int) -> str:
        ctx.release(5)
        return f"{ctx.job} {a} {ctx.attempt} {ctx.queue!r}"

    assert asks(1) == "asks 1 1 ''"


def test_the_context_is_no_part_of_the_payload() -> None:
    @job
    def plain(ctx: JobContext, a: int) -> None: ...

    @job
    def renamed(ctx: Context, a: int) -> None: ...

    @job
    def as_text(ctx: "JobContext", a: int) -> None: ...

    @job
    def as_text_renamed(ctx: "Context", a: int) -> None: ...

    @job
    def as_dotted_text(ctx: "packhorse.JobContext", a: int) -> None: ...

    @job
    def positional(ctx: JobContext, /, a: int) -> None: ...

    for each in (plain, renamed, as_text, as_text_renamed, as_dotted_text, positional):
        assert sent(each.bind(1)) == b'{"a":1}'


def test_a_context_elsewhere_is_refused() -> None:
    def second(a: int, ctx: JobContext) -> None: ...

    def keyword(*, ctx: "JobContext") -> None: ...

    for function in (second, keyword):
        with pytest.raises(
            JobDefinitionError, match="JobContext 'ctx' must be the first parameter"
        ):
            job(function)


def test_every_kind_of_parameter_travels_by_name() -> None:
    @job(name="kinds")
    def kinds(a: int, /, b: int, *, c: int, d: int = 4) -> tuple[int, ...]:
        return (a, b, c, d)

    bound = kinds.bind(1, 2, c=3)
    assert sent(bound) == b'{"a":1,"b":2,"c":3,"d":4}'
    assert kinds.bind(1, b=2, c=3).arguments == bound.arguments
    with Packhorse("memory://"):
        assert kinds.dispatch_sync(1, 2, c=3) == (1, 2, 3, 4)


def test_an_argument_called_self() -> None:
    @job(name="selfish")
    def selfish(a: int, self: str) -> str:
        return self * a

    with Packhorse("memory://"):
        assert selfish.bind(2, "x").dispatch_sync() == "xx"


def test_a_default_is_the_functions_own() -> None:
    @job
    def collect(a: int, into: list[int] = []) -> None: ...  # noqa: B006

    assert sent(collect.bind(1)) == b'{"a":1,"into":[]}'


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda f: f.bind(), "Missing required argument 'a'"),
        (lambda f: f.bind(1, 2, 3), "Extra positional arguments provided"),
        (lambda f: f.bind(1, c=2), "Unexpected keyword argument 'c'"),
        (lambda f: f.bind(1, a=2), "Argument 'a' given by name and position"),
    ],
)
def test_arguments_that_do_not_fit_the_signature(call: Callable[[Any], object], what: str) -> None:
    @job(name="fit")
    def fit(a: int, b: int = 2) -> None: ...

    with pytest.raises(InvalidPayload, match=f"^job fit: {what}"):
        call(fit)


def test_arguments_that_do_not_fit_a_signature_with_a_star() -> None:
    @job(name="star")
    def star(a: int, *, b: int) -> None: ...

    with pytest.raises(InvalidPayload, match=r"^job star: missing a required argument: 'b'"):
        star.bind(1)  # type: ignore[call-arg]


def variadic(*numbers: int) -> None: ...
def keywords(**numbers: int) -> None: ...
def bare(first, second: int) -> None: ...  # type: ignore[no-untyped-def]
def anything(first: Any) -> None: ...
def an_object(first: object) -> None: ...
def generator(a: int) -> Any:
    yield a


async def async_generator(a: int) -> Any:
    yield a


def calls(what: Callable[[], None]) -> None: ...
def undecided(a: bytes | str) -> None: ...
def objects(a: int, b: object) -> None: ...


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (variadic, r"parameter \*numbers: int cannot travel by name; take a list or a dict"),
        (keywords, r"parameter \*\*numbers: int cannot travel by name"),
        (bare, r"annotate the first parameter 'first' \(JobContext, or the type"),
        (anything, "annotate the first parameter 'first'"),
        (an_object, "annotate the first parameter 'first'"),
        (generator, "a generator cannot be a job"),
        (async_generator, "a generator cannot be a job"),
        (calls, "argument 'what': Callable cannot travel"),
        (undecided, "argument 'a': Type unions may not contain more than one str-like type"),
        (objects, "argument 'b': object cannot travel"),
    ],
)
def test_a_function_that_cannot_be_a_job(function: Callable[..., object], what: str) -> None:
    with pytest.raises(JobDefinitionError, match=f"^job {__name__}.{function.__name__}: {what}"):
        job(function)
    assert registry.find(f"{__name__}.{function.__name__}") is None


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(JobDefinitionError, match=r"@job takes a function, not functools.partial"):
        job(functools.partial(print, 1))
    with pytest.raises(JobDefinitionError, match="@job takes a function, not <class"):
        job(int)


def test_wrong_options_name_the_function() -> None:
    with pytest.raises(JobDefinitionError, match=f"^job {__name__}.keywords: .* 'tries'"):
        job(tres=3)(keywords)  # type: ignore[call-overload]


def test_a_name_that_does_not_exist_yet_is_looked_for_at_first_use() -> None:
    @job(name="later")
    def later(a: "Defined") -> None: ...

    with pytest.raises(JobDefinitionError, match=r"^job later: an annotation needs 'Defined'"):
        later.bind(1)
    globals()["Defined"] = int
    try:
        assert sent(later.bind(1)) == b'{"a":1}'
    finally:
        del globals()["Defined"]


if TYPE_CHECKING:
    Defined = int


def test_a_name_for_type_checkers_alone_is_no_good() -> None:
    @job(name="typed")
    def typed(price: "OnlyForTypeCheckers") -> None: ...

    with pytest.raises(JobDefinitionError, match="not only for type checkers"):
        typed.bind(1)  # type: ignore[arg-type]
    with pytest.raises(JobDefinitionError, match=r"job typed: .*'OnlyForTypeCheckers'"):
        typed.definition.decode(b'{"price":"1.5"}')


def test_a_context_that_is_imported_for_type_checkers_alone_is_told_by_its_name() -> None:
    function: Any = eval("lambda ctx, a: a", {})
    function.__annotations__ = {"ctx": "JobContext", "a": int, "return": "OnlyForTypeCheckers"}
    function.__module__, function.__qualname__ = "elsewhere", "told"
    assert sent(job(function).bind(1)) == b'{"a":1}'


def test_overrides_add_up_and_leave_the_job_as_it_was() -> None:
    @job(name="base", queue="low", tries=2)
    def base(a: int) -> None: ...

    other = base.using(tries=5).using(queue="high")
    pending = other.bind(1)
    assert (pending.overrides.tries, pending.overrides.queue) == (5, "high")
    assert base.bind(1).overrides == NOTHING
    assert other.definition is base.definition


def test_overrides_are_checked() -> None:
    @job(name="strict")
    def strict(a: int) -> None: ...

    with pytest.raises(JobDefinitionError, match=r"^job strict: there is no option 'quue'"):
        strict.using(quue="low")  # type: ignore[call-arg]
    with pytest.raises(JobDefinitionError, match=r"^job strict: 'middleware' belongs to the job"):
        strict.using(middleware=[])
