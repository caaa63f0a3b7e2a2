"""What travels beside the arguments: from a dispatcher to the job, and on to what that dispatches."""

import asyncio
import contextvars
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import UUID

import pytest

from packhorse import InvalidPayload, JobContext, Packhorse, carried, carry, events, job
from packhorse.testing import Running

seen: list[Mapping[str, object]] = []


@pytest.fixture
def app() -> Iterator[Packhorse]:
    seen.clear()
    with Packhorse("memory://") as app:
        yield app


@job(name="carrying.look")
def look(ctx: JobContext) -> None:
    assert ctx.carried == carried()
    seen.append(ctx.carried)


@job(name="carrying.look_async")
async def look_async() -> None:
    seen.append(carried())
    with carry(step=1):
        await asyncio.sleep(0)
        seen.append(carried())


@job(name="carrying.go_on")
def go_on(ctx: JobContext) -> None:
    look.dispatch()
    with carry(tenant=8, more=[1, 2]):
        look.dispatch()
        look.dispatch_sync()
    look.dispatch()


def work(app: Packhorse) -> None:
    app.worker(concurrency=1).run(stop_when_empty=True)


def test_what_is_carried_is_there_in_the_job_and_nowhere_else(app: Packhorse) -> None:
    with carry(request="r1", tenant=7):
        look.dispatch()
        with carry(tenant=8):
            look_async.dispatch()
        assert carried() == {"request": "r1", "tenant": 7}
    look.dispatch()
    work(app)
    assert sorted(map(str, seen)) == [
        "{'request': 'r1', 'tenant': 7}",
        "{'request': 'r1', 'tenant': 8, 'step': 1}",
        "{'request': 'r1', 'tenant': 8}",
        "{}",
    ]
    assert carried() == {}


def test_it_goes_on_to_what_the_job_dispatches(app: Packhorse) -> None:
    with carry(tenant=7):
        go_on.dispatch()
    work(app)
    own, more = {"tenant": 7}, {"tenant": 8, "more": [1, 2]}
    assert seen == [more, own, more, own], "the first ran inline, the others from the queue"


def test_every_push_carries(app: Packhorse) -> None:
    queue = app.queue()
    with carry(a=1):
        queue.push(look.bind())
        queue.later(0, look.bind())
        queue.push_many([look.bind()])
        queue.push_raw("carrying.look", {})
        look.dispatch_sync()
    work(app)
    assert seen == [{"a": 1}] * 5


def test_a_job_that_runs_inside_a_request_sees_its_own(app: Packhorse) -> None:
    with Packhorse("sync://") as sync:
        with carry(tenant=7):
            message = look.bind()
            with carry(tenant=8):
                sync.dispatch(message)
        assert seen == [{"tenant": 8}]
        sync.dispatch(message)
    assert seen[1] == {}


def test_a_repeated_job_keeps_what_it_came_with(app: Packhorse) -> None:
    @job(name="carrying.flaky", tries=2)
    def flaky(ctx: JobContext) -> None:
        seen.append(carried())
        if ctx.attempt == 1:
            raise ValueError

    with carry(tenant=7):
        flaky.dispatch()
    work(app)
    assert seen == [{"tenant": 7}] * 2


def test_what_a_job_leaves_behind_is_not_the_next_ones(app: Packhorse) -> None:
    @job(name="carrying.untidy")
    def untidy() -> None:
        carry(left="behind").__enter__()

    untidy.dispatch()
    look.dispatch()
    work(app)
    with Packhorse("sync://"):
        untidy.dispatch()
        look.dispatch()
    assert seen == [{}, {}]
    assert carried() == {}


def test_threads_and_tasks_have_their_own(app: Packhorse) -> None:
    async def main() -> None:
        async def task(n: int) -> Mapping[str, object]:
            with carry(n=n):
                await asyncio.sleep(0)
                return carried()

        with carry(all=True):
            got = await asyncio.gather(task(1), task(2), asyncio.to_thread(carried))
        assert [*got] == [{"all": True, "n": 1}, {"all": True, "n": 2}, {"all": True}]

    asyncio.run(main())
    with carry(mine=1):
        assert Running(carried).answer() == {}
        context = contextvars.copy_context()
        assert Running(lambda: context.run(carried)).answer() == {"mine": 1}


def test_one_value_comes_back_as_its_type(app: Packhorse) -> None:
    id, at = UUID(int=5), datetime(2026, 1, 2, 3, 4)
    with carry(id=id, at=at, tenant=7):
        assert carried("id", UUID) == id
        assert carried("at", datetime) == at
        assert carried()["id"] == str(id)
        assert carried("nothing", int) is None
        with pytest.raises(
            InvalidPayload, match=r"what is carried as 'tenant' is not of that type"
        ):
            carried("tenant", str)


@pytest.mark.parametrize("value", [object(), {1: object()}, math.nan, [math.inf], "\ud800"])
def test_what_cannot_travel_is_refused_where_it_is_set(value: object) -> None:
    with pytest.raises(InvalidPayload, match=r"^'bad' cannot be carried: "), carry(bad=value):
        pass
    assert carried() == {}


def test_the_log_shows_it_but_for_what_is_hidden(
    app: Packhorse, caplog: pytest.LogCaptureFixture
) -> None:
    @job(name="carrying.logs")
    def logs(ctx: JobContext) -> None:
        ctx.log.warning("here")

    with carry(tenant=7, _token="secret"):
        logs.dispatch()
    logs.dispatch()
    with carry(_token="secret"):
        logs.dispatch()
    work(app)
    shown = [getattr(record, "carried", None) for record in caplog.records]
    assert shown == [{"tenant": 7}, None, None]


def test_a_middleware_may_add_to_it(app: Packhorse) -> None:
    def stepping(ctx: JobContext) -> Iterator[None]:
        with carry(step=ctx.attempt):
            yield

    @job(name="carrying.stepped", middleware=[stepping])
    def stepped() -> None:
        seen.append(carried())
        look.dispatch()

    with carry(tenant=7):
        stepped.dispatch()
    work(app)
    assert seen == [{"tenant": 7, "step": 1}] * 2


def test_a_carrier_is_asked_at_each_push(app: Packhorse) -> None:
    @app.carrying
    def trace() -> Mapping[str, object]:
        return {"trace": len(seen)}

    with carry(tenant=7):
        look.dispatch()
        assert carried() == {"tenant": 7}, "it adds to what travels, not to what is set here"
    work(app)
    app.queue().push_raw("carrying.look", {})
    work(app)
    assert seen == [{"tenant": 7, "trace": 0}, {"trace": 1}]


def test_what_a_carrier_raises_stops_the_push(app: Packhorse) -> None:
    heard: list[events.Event] = []
    app.on(events.Event)(heard.append)

    @app.carrying
    def broken() -> Mapping[str, object]:
        raise ValueError("no trace")

    with pytest.raises(ValueError, match="no trace"):
        look.dispatch()
    assert heard == []
    assert app.queue().size() == 0
