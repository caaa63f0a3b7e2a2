"""Class jobs: their fields, their options as class keywords, and what may be done with them."""

from collections.abc import Iterator, Sequence
from typing import assert_type

from packhorse import Job, JobContext, JobHandle, Packhorse, Pending, Unique, exponential
from packhorse.options import Middleware


class Resize(Job, queue="media", tries=3, unique=True, backoff=exponential(2)):
    path: str
    width: int = 640

    def unique_id(self) -> str:
        return self.path

    def handle(self, ctx: JobContext) -> float:
        return self.width / 2

    def failed(self, error: BaseException) -> None: ...


class Named(Job, name="named", unique=Unique(window=60), aliases=["old"], tags=["vip"]):
    queue: str
    tries: int

    async def handle(self) -> None: ...


def around(ctx: JobContext) -> Iterator[None]:
    yield


class Wrapped(Resize, queue="low", middleware=[around]):
    height: int = 480

    def backoff(self, failures: int) -> float:
        return failures * 2.0

    def middleware(self) -> Sequence[Middleware]:
        return [around]


class Rotated(Resize, kw_only=True, tries=1):
    angle: int


class Misspelt(Job, quue="low"):  # type: ignore[call-arg]
    def handle(self) -> None: ...


class Mistyped(Job, tries="3"):  # type: ignore[arg-type]
    def handle(self) -> None: ...


def made() -> None:
    assert_type(Resize("a.png").path, str)
    assert_type(Resize(path="a.png", width=5).width, int)
    assert_type(Wrapped("a.png", 5, 6).height, int)
    assert_type(Named(queue="a", tries=1).queue, str)
    assert_type(Rotated("a.png", angle=90).angle, int)
    Rotated("a.png", 5, 90)  # type: ignore[call-arg]
    Resize()  # type: ignore[call-arg]
    Resize(5)  # type: ignore[arg-type]
    Resize("a.png", hight=5)  # type: ignore[call-arg]
    Named("a", "b")  # type: ignore[arg-type]


def sent(app: Packhorse) -> None:
    one = Resize("a.png")
    assert_type(one.dispatch(), JobHandle[object])
    assert_type(one.using(delay=60), Pending[object])
    assert_type(one.using(delay=60).dispatch(), JobHandle[object])
    assert_type(one.dispatch_sync(), object)
    assert_type(app.dispatch(one), JobHandle[object])
    assert_type(app.queue("low").push(one), JobHandle[object])
    jobs: list[Job | Pending[object]] = [one, Named("a", 1), one.using(tries=1)]
    assert_type(app.push_many(jobs), list[JobHandle[object]])
    one.using(quue="low")  # type: ignore[call-arg]
    one.using(tries=None)  # type: ignore[arg-type]


async def sent_from_a_loop() -> None:
    assert_type(await Resize("a.png").dispatch_async(), JobHandle[object])
