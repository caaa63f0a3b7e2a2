"""Jobs that end in every way there is, and a worker that works them all off on `memory://`."""

import asyncio
from collections.abc import Iterator
from uuid import UUID

from packhorse import Job, JobContext, Packhorse, Pending, job
from packhorse.driver.message import Message
from packhorse.ids import new_id


def around(ctx: JobContext) -> Iterator[None]:
    yield


def skipping(ctx: JobContext) -> Iterator[None]:
    return
    yield


@job(name="circus.act", tries=2, middleware=[around])
def act(ctx: JobContext, how: str) -> int:
    first = ctx.attempt == 1 and ctx.deliveries == 1 and ctx.id not in _released
    match how:
        case "raises once" if first:
            raise ValueError("once")
        case "raises":
            raise ValueError(f"attempt {ctx.attempt}")
        case "releases" if first:
            _released.add(ctx.id)
            ctx.release()
        case "fails":
            ctx.fail("enough")
        case "deletes":
            ctx.delete()
    return 1


@job(name="circus.later")
async def later(how: str) -> int:
    await asyncio.sleep(0)
    if how == "raises":
        raise ValueError("later")
    return 1


class Skipped(Job, name="circus.skipped", middleware=[skipping]):
    def handle(self) -> None: ...


class Buried(Job, name="circus.buried"):
    how: str

    def handle(self) -> None:
        raise ValueError("buried")

    def failed(self, error: BaseException) -> None: ...


_released: set[UUID] = set()
WAYS: dict[str, Pending[object]] = {
    "done": act.bind("done"),
    "done, async": later.bind("done"),
    "raises once": act.bind("raises once"),
    "raises": act.bind("raises"),
    "raises, async": later.bind("raises"),
    "raises, and is told": Buried("x").using(),
    "releases": act.bind("releases"),
    "fails": act.bind("fails"),
    "deletes": act.bind("deletes"),
    "skipped": Skipped().using(),
    "expired": act.using(expires=-1).bind("done"),
    "too late": act.using(retry_until=-1).bind("done"),
    "cancelled": act.using(delay=3_600).bind("done"),
}
RAW: dict[str, tuple[str, str]] = {
    "wrong arguments": ("circus.act", '{"how": 5}'),
    "unknown name": ("circus.nobody", "{}"),
}
UNREADABLE = "unreadable"


def push(app: Packhorse, way: str) -> UUID:
    """Sends a job that ends in this way."""
    if way in RAW:
        return app.queue().push_raw(*RAW[way]).id
    if way == UNREADABLE:
        message = Message(new_id(), "default", b"{")
        app.connection().driver.send([message])
        return message.id
    handle = app.dispatch(WAYS[way])
    if way == "cancelled":
        assert handle.cancel()
    return handle.id


EVERY = [*WAYS, *RAW, UNREADABLE]


def circus() -> Packhorse:
    """An app whose worker gives an unknown name up at once."""
    return Packhorse("memory://", unknown_job_limit=0)


def work(app: Packhorse) -> int:
    """Works everything off; how many jobs ran."""
    return app.worker(concurrency=2).run(stop_when_empty=True).jobs
