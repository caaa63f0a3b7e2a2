"""`@job`: the parameters of a function are those of its dispatch, its result that of a call here."""

from collections.abc import Iterator
from typing import assert_type

from packhorse import FunctionJob, JobContext, JobHandle, Packhorse, Pending, exponential, job


@job
def plain(a: int, b: str = "x") -> float:
    return 1.0


@job(queue="low", tries=5, backoff=[1, 5, 30], timeout=20, tags=["vip"])
def chosen(a: int) -> float:
    return 1.0


@job
async def later(a: int) -> str:
    return ""


@job(backoff=exponential(2))
async def later_chosen(a: int) -> str:
    return ""


@job
def asking(ctx: JobContext, a: int) -> float:
    return 1.0


@job(tries=2)
async def later_asking(ctx: JobContext, a: int, *, b: bool = False) -> str:
    return ""


@job
def nothing() -> None: ...


def around(ctx: JobContext) -> Iterator[None]:
    yield


@job(middleware=[around])
def wrapped(a: int) -> None: ...


def calls() -> None:
    assert_type(plain(1), float)
    assert_type(chosen(1), float)
    assert_type(asking(1), float)
    assert_type(nothing(), None)
    plain("1")  # type: ignore[arg-type]
    plain(1, c=2)  # type: ignore[call-arg]
    plain()  # type: ignore[call-arg]
    asking(JobContext.current(), 1)  # type: ignore[call-arg,arg-type]


async def awaited() -> None:
    assert_type(await later(1), str)
    assert_type(await later_chosen(1), str)
    assert_type(await later_asking(1, b=True), str)
    assert_type(await plain.dispatch_async(1), JobHandle[float])
    assert_type(await later_asking.dispatch_async(1, b=True), JobHandle[str])
    await later.dispatch_async("1")  # type: ignore[arg-type]


def dispatched() -> None:
    assert_type(plain.dispatch(1), JobHandle[float])
    assert_type(plain.dispatch(1, b="y"), JobHandle[float])
    assert_type(later_asking.dispatch(1, b=True), JobHandle[str])
    plain.dispatch()  # type: ignore[call-arg]
    plain.dispatch("1")  # type: ignore[arg-type]
    plain.dispatch(1, 2)  # type: ignore[arg-type]
    plain.dispatch(1, c="y")  # type: ignore[call-arg]
    chosen.dispatch(a="1")  # type: ignore[arg-type]
    asking.dispatch("1")  # type: ignore[arg-type]
    asking.dispatch()  # type: ignore[call-arg]
    later_asking.dispatch(1, True)  # type: ignore[call-arg]


async def answered() -> None:
    assert_type(plain.dispatch(1).result(timeout=1), float)
    assert_type(later.dispatch(1).result(), str)
    assert_type(nothing.dispatch().result(), None)
    assert_type(await later_asking.dispatch(1).result_async(timeout=1), str)
    assert_type(await (await plain.dispatch_async(1)).result_async(), float)
    plain.dispatch(1).result(timeout="1")  # type: ignore[arg-type]


def run_here() -> None:
    assert_type(plain.dispatch_sync(1), float)
    assert_type(asking.dispatch_sync(1), float)
    assert_type(later.dispatch_sync(1), str)
    assert_type(later_chosen.dispatch_sync(1), str)
    assert_type(later_asking.dispatch_sync(1), str)
    assert_type(nothing.dispatch_sync(), None)
    plain.dispatch_sync("1")  # type: ignore[arg-type]


def values(app: Packhorse) -> None:
    assert_type(plain.bind(1), Pending[float])
    assert_type(later.bind(1), Pending[str])
    assert_type(later_asking.bind(1).using(queue="low"), Pending[str])
    assert_type(plain.bind(1).dispatch(), JobHandle[float])
    assert_type(later.bind(1).dispatch_sync(), str)
    plain.bind("1")  # type: ignore[arg-type]
    mixed: list[Pending[object]] = [plain.bind(1), later.bind(1), nothing.bind()]
    assert_type(app.queue().push_many(mixed), list[JobHandle[object]])
    assert_type(app.queue("low").later(60, plain.bind(1)), JobHandle[float])
    app.dispatch(plain)  # type: ignore[arg-type]
    app.queue().push(5)  # type: ignore[arg-type]


def overridden() -> None:
    low = plain.using(queue="low", delay=60, tries=1, tags=["vip"])
    assert_type(low.dispatch(1), JobHandle[float])
    assert_type(low.dispatch_sync(1), float)
    assert_type(later.using(tries=2).dispatch_sync(1), str)
    low.dispatch("1")  # type: ignore[arg-type]
    plain.using(quue="low")  # type: ignore[call-arg]
    plain.using(tries="3")  # type: ignore[arg-type]
    plain.bind(1).using(delay="soon")  # type: ignore[arg-type]


@plain.prepare_for_dispatch
def may_be_sent(pending: Pending[float], /, a: int, b: str = "x") -> bool | Pending[float]:
    return pending.using(queue="low") if a else False


@later.prepare_for_dispatch  # type: ignore[arg-type]
def wrong_arguments(pending: Pending[str], /, b: int) -> bool:
    return True


@later.prepare_for_dispatch  # type: ignore[arg-type]
def wrong_answer(pending: Pending[str], /, a: int) -> str:
    return "no"


assert_type(may_be_sent(plain.bind(1), 1), bool | Pending[float] | None)


def passed_on(one: FunctionJob[[int], float, float]) -> float:
    return one.dispatch_sync(1)


passed_on(chosen)
passed_on(later)  # type: ignore[arg-type]

job(tres=3)  # type: ignore[call-overload]
job(tries="3")  # type: ignore[call-overload]
job(middleware=[5])  # type: ignore[list-item]
