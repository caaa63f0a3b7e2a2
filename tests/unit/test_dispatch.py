"""Dispatching: who decides where a job goes, what travels with it, and what is refused on the way."""

import asyncio
import json
import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from packhorse import (
    ConfigError,
    InvalidPayload,
    Job,
    JobDefinitionError,
    Packhorse,
    PayloadTooLarge,
    Pending,
    Unique,
    Unsupported,
    exponential,
    job,
)
from packhorse.dispatch import message_for
from packhorse.driver.message import Message, Sent
from packhorse.ids import new_id
from packhorse.job import pending
from packhorse.sending import check_sent
from packhorse.wire.envelope import Body, Envelope
from packhorse.wire.seal import open_body, open_envelope
from tests.plugins.throwaway import installed
from tests.unit.wire.codecs import KNOWN, TOY_PLUGIN

NOW = 1_700_000_000.0


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packhorse:
    installed(tmp_path, monkeypatch, "toy", TOY_PLUGIN)
    monkeypatch.setattr("time.time", lambda: NOW)
    config = {
        "default": "main",
        "connections": {
            "main": {"url": "memory://main", "queue": "usual"},
            "other": {"url": "memory://other", "queue": "elsewhere"},
            "sealed": {"url": "memory://sealed", "codecs": ["toy"]},
        },
    }
    return Packhorse(config=config)


@job(name="dispatch.plain")
def plain(a: int = 1) -> None: ...


def opened(message: Message) -> tuple[Envelope, Body]:
    envelope = open_envelope(message.body)
    return envelope, open_body(envelope, KNOWN, Body)


def test_the_message_of_a_job_that_says_nothing(app: Packhorse) -> None:
    message = message_for(plain.bind(5), app.connection())
    envelope, body = opened(message)
    assert envelope.id == message.id
    assert message.id.version == 7
    assert (envelope.job, envelope.at) == ("dispatch.plain", NOW)
    assert message == Message(message.id, "usual", message.body)
    assert json.loads(bytes(body.args)) == {"a": 5}
    assert body == Body(args=body.args)


def test_where_it_goes(app: Packhorse) -> None:
    @job(name="low", queue="low", connection="other")
    def low() -> None: ...

    for sent, connection, queue in (
        (plain.dispatch(), "main", "usual"),
        (low.dispatch(), "other", "low"),
        (low.using(queue="high").dispatch(), "other", "high"),
        (low.using(connection="main").dispatch(), "main", "low"),
        (app.queue("mine").push(low.bind()), "main", "mine"),
        (app.queue(connection="other").push(plain.bind()), "other", "elsewhere"),
        (app.queue("mine").push(low.using(queue="high").bind()), "main", "mine"),
    ):
        assert (sent.connection, sent.queue) == (connection, queue)
        assert app.queue(queue, connection).get(sent.id) is not None


def test_an_unknown_connection_is_refused_with_the_nearest(app: Packhorse) -> None:
    with pytest.raises(ConfigError, match=r"no connection is called 'othr'; .*other"):
        plain.using(connection="othr").dispatch()


def test_when_it_falls_due(app: Packhorse) -> None:
    @job(name="slow", delay=timedelta(minutes=1))
    def slow() -> None: ...

    connection = app.connection()
    assert message_for(slow.bind(), connection).delay == 60.0
    assert message_for(slow.using(delay=5).bind(), connection).delay == 5.0
    assert message_for(slow.using(delay=0).bind(), connection).delay == 0.0
    queue = app.queue()
    for delay in (30, timedelta(seconds=30)):
        queued = queue.get(queue.later(delay, slow.bind()).id)
        assert queued is not None
        assert queued.state == "delayed"


@pytest.mark.parametrize("delay", [-1, math.nan, math.inf])
def test_a_delay_that_is_none(app: Packhorse, delay: float) -> None:
    queue = app.queue()
    with pytest.raises(
        JobDefinitionError, match=r"^job dispatch.plain: delay=.* must be a number from 0 up"
    ):
        queue.later(delay, plain.bind())
    with pytest.raises(JobDefinitionError, match=r"^push_raw: delay=.* must be a number from 0 up"):
        queue.push_raw("plain", {}, delay=delay)
    assert queue.size() == 0


def test_what_travels_of_the_options(app: Packhorse) -> None:
    @job(name="full", tries=9, retry_until=60, expires=timedelta(hours=1), tags=["a"], timeout=5)
    def full() -> None: ...

    using = full.using(tries=2, backoff=exponential(2), soft_timeout=False, tags=["b", "c"])
    _, body = opened(message_for(using.bind(), app.connection()))
    assert (body.until, body.expires, body.tags) == (NOW + 60, NOW + 3600, ("b", "c"))
    assert {name: json.loads(bytes(raw)) for name, raw in body.overrides.items()} == {
        "tries": 2,
        "backoff": {"type": "Exponential", "base": 2, "cap": 3600.0, "jitter": 0.1},
        "soft_timeout": False,
    }
    _, body = opened(message_for(full.bind(), app.connection()))
    assert body.overrides == {}, "what the code says does not travel"


def test_through_which_codecs(app: Packhorse) -> None:
    @job(name="secret", codecs=["toy"])
    def secret() -> None: ...

    def codecs(pending: Pending[Any], connection: str) -> tuple[str, ...]:
        return opened(message_for(pending, app.connection(connection)))[0].enc

    assert codecs(plain.bind(), "main") == ()
    assert codecs(plain.bind(), "sealed") == ("toy",)
    assert codecs(secret.bind(), "main") == ("toy",)
    assert codecs(plain.using(codecs=[]).bind(), "sealed") == ()


def test_unique_keys(app: Packhorse) -> None:
    class Resize(Job, name="resize", unique=True):
        path: str

        def unique_id(self) -> str:
            return self.path

        def handle(self) -> None: ...

    def key(job: Pending[Any]) -> Unique | None:
        return message_for(job, app.connection()).unique

    assert key(pending(Resize("a.png"))) == Unique("resize:a.png")
    assert key(Resize("a").using(unique=False)) is None
    assert key(plain.using(unique=True).bind(5)) == Unique('dispatch.plain:{"a":5}')
    assert key(plain.using(unique=Unique("k", window=9)).bind()) == Unique(
        "dispatch.plain:k", window=9
    )
    assert key(plain.bind()) is None
    assert message_for(plain.using(group="g").bind(), app.connection()).group == "g"


def test_what_the_broker_cannot_do_is_refused() -> None:
    with Packhorse("memory://?like=beanstalkd") as app:
        with pytest.raises(Unsupported):
            app.dispatch(plain.using(group="g").bind())
        assert app.queue().size() == 0


def test_a_message_that_is_too_large(app: Packhorse) -> None:
    @job(name="large")
    def large(text: str) -> None: ...

    with Packhorse("memory://?like=sqs") as sqs:
        limit = sqs.connection().driver.capabilities.max_body
        assert limit is not None
        with pytest.raises(PayloadTooLarge) as caught:
            large.dispatch("x" * limit)
        text = str(caught.value)
        assert text.startswith("job large: the message has ")
        assert f"connection 'main' takes {limit}. Send a reference instead" in text
        assert "xx" not in text
        assert sqs.queue().size() == 0


def test_many_keep_their_order_over_connections(app: Packhorse) -> None:
    jobs = [plain.using(connection=("main", "other")[n % 2]).bind(n) for n in range(10)]
    handles = app.push_many(jobs)
    assert [each.connection for each in handles] == ["main", "other"] * 5
    for name, queue in (("main", "usual"), ("other", "elsewhere")):
        expected = [each.id for each in handles if each.connection == name]
        assert [each.id for each in app.queue(queue, name).jobs()] == expected
    assert app.push_many([]) == []


def test_one_that_does_not_fit_keeps_all_of_them_back(app: Packhorse) -> None:
    with pytest.raises(InvalidPayload):
        app.push_many([plain.bind(1), plain.bind("2")])  # type: ignore[arg-type]
    assert app.queue().size() == 0


def test_the_refused_are_named() -> None:
    messages = [Message(new_id(), "q", b"") for _ in range(3)]
    sent = [
        Sent(messages[0].id, "stored"),
        Sent(messages[1].id, "refused", error="too long"),
        Sent(messages[2].id, "refused", error="too late"),
    ]
    with pytest.raises(InvalidPayload) as caught:
        check_sent(messages, sent, ["a", "b", "c"])
    expected = f"job b {messages[1].id}: refused by the broker: too long (and 1 more of 3)"
    assert str(caught.value) == expected
    check_sent(messages[:1], sent[:1], ["a"])


def test_asynchronous_dispatch_blocks_no_loop(app: Packhorse) -> None:
    async def main() -> list[str]:
        handles = await asyncio.gather(
            plain.dispatch_async(1),
            plain.using(queue="q").dispatch_async(2),
            plain.bind(3).dispatch_async(),
        )
        return [each.queue for each in handles]

    with app:
        assert asyncio.run(main()) == ["usual", "q", "usual"]


def test_a_pending_job_may_be_sent_often(app: Packhorse) -> None:
    one = plain.bind(5)
    assert repr(one) == "<pending dispatch.plain>"
    assert len({one.dispatch().id for _ in range(3)}) == 3
    assert one.using(queue="q").overrides.queue == "q"
    assert one.using(queue="q").dispatch().queue == "q"
    assert one.dispatch().queue == "usual"
    with pytest.raises(JobDefinitionError, match=r"^job dispatch.plain: there is no option 'quue'"):
        one.using(quue="q")  # type: ignore[call-arg]


PLUGIN = """
from packhorse.plugin import TypeSpec, hookimpl

class Money:
    def __init__(self, cents): self.cents = cents
    def __eq__(self, other): return self.cents == other.cents

def encode(money): return money.cents
def decode(type, value): return type(value)

@hookimpl
def packhorse_types():
    here = __name__
    return [TypeSpec(f"{here}:Money", f"{here}:encode", f"{here}:decode")]
"""


def test_a_plugins_types_travel_from_the_first_dispatch_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, monkeypatch, "bank", PLUGIN)
    from packhorse_bank_plugin import Money  # type: ignore[import-not-found]

    def pay(amount: Any) -> None: ...

    pay.__annotations__["amount"] = Money
    paying = job(name="pay")(pay)
    with Packhorse("memory://", plugins=["bank"]) as app:
        handle = paying.dispatch(Money(5))
        found = app.queue().get(handle.id)
    assert found is not None
    assert found.arguments == '{"amount":5}'
