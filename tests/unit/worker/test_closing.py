"""From a verdict to what the broker is told: what is written again, and what is written down."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from packhorse import Job, JobContext, MaxAttemptsExceeded, Packhorse, job
from packhorse.dispatch import message_for
from packhorse.driver.message import Message
from packhorse.driver.outcome import Dead, Done, Retry, Return
from packhorse.ids import new_id
from packhorse.wire.envelope import Body, Death, Envelope
from packhorse.wire.seal import open_body, open_envelope
from packhorse.worker.attempt import Again, Bury, Finish
from packhorse.worker.closing import LONGEST, bury, close, give_back, wait_for_name
from packhorse.worker.failure import LIMIT
from tests.plugins.throwaway import installed
from tests.unit.wire.codecs import KNOWN, TOY_PLUGIN, Toy
from tests.unit.worker.attempts import delivered, execution, site

ERROR = ValueError("no")


@job(name="closing.plain", tries=3)
def plain(text: str = "x") -> None: ...


@pytest.fixture
def app() -> Iterator[Packhorse]:
    with Packhorse("memory://") as app:
        yield app


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packhorse]:
    installed(tmp_path, monkeypatch, "toy", TOY_PLUGIN)
    with Packhorse("memory://", codecs=["toy"]) as app:
        yield app


def opened(data: bytes) -> tuple[Envelope, Body]:
    envelope = open_envelope(data)
    return envelope, open_body(envelope, KNOWN, Body)


def death(record: bytes) -> Death:
    return open_body(open_envelope(record), KNOWN, Death)


@pytest.mark.parametrize("name", ["app", "sealed"])
def test_a_failed_attempt_is_written_into_the_message(
    name: str, request: pytest.FixtureRequest
) -> None:
    app: Packhorse = request.getfixturevalue(name)
    one = execution(app, plain.using(tags=["vip"], tries=5).bind("y"), deliveries=2)
    assert one.prepare() is None
    settlement = close(one, Again(7.0, failed=1, lost=1, error=ERROR))
    outcome = settlement.outcome
    assert isinstance(outcome, Retry)
    assert (outcome.delay, outcome.delivery) == (7.0, one.delivery)
    before, old = opened(one.delivery.message.body)
    after, new = opened(outcome.body)
    assert (after.id, after.job, after.at, after.enc) == (
        before.id,
        before.job,
        before.at,
        before.enc,
    )
    assert (after.failed, after.lost, after.unknown) == (1, 1, 0)
    assert (new.args, new.tags, new.overrides) == (old.args, old.tags, old.overrides)
    (failure,) = new.failures
    assert (failure.attempt, failure.type, failure.message) == (1, "ValueError", "no")
    assert failure.worker == "barn-1"


def test_a_release_opens_nothing(sealed: Packhorse) -> None:
    one = execution(sealed, plain.bind())
    assert one.prepare() is None
    outcome = close(one, Again(7.0, failed=2, lost=1)).outcome
    assert isinstance(outcome, Retry)
    after = open_envelope(outcome.body)
    assert bytes(after.body) == bytes(one.envelope.body)
    assert (after.failed, after.lost) == (2, 1)


@pytest.mark.parametrize("delay", [1e300, float("inf")])
@pytest.mark.parametrize("like", ["", "?like=sqs", "?like=sqs-fifo", "?like=beanstalkd"])
def test_a_delay_that_no_broker_can_do_is_shortened(like: str, delay: float) -> None:
    with Packhorse(f"memory://{like}") as app:
        can = app.connection().driver.capabilities
        longest = can.max_lease_total if can.rewrite == "none" else can.max_delay
        one = execution(app, plain.bind())
        one.prepare()
        outcome = close(one, Again(delay, 0, 0)).outcome
        assert isinstance(outcome, Retry)
        assert outcome.delay == (LONGEST if longest is None else longest)


def test_what_is_told_of_failures_gives_way_to_what_is_to_be_done() -> None:
    with Packhorse("memory://?like=beanstalkd") as app:
        limit = app.connection().driver.capabilities.max_body
        assert limit is not None
        empty = len(message_for(plain.bind(""), app.connection()).body)
        message = message_for(plain.bind("x" * (limit - empty - 3_000)), app.connection())
        kept: list[list[int]] = []
        for failed in range(1, 9):
            one = execution(app, message)
            one.prepare()
            error = ValueError("é" * 400)
            outcome = close(one, Again(0.0, failed, 0, error)).outcome
            assert isinstance(outcome, Retry)
            assert len(outcome.body) <= limit
            kept.append([failure.attempt for failure in opened(outcome.body)[1].failures])
            message = Message(message.id, message.queue, outcome.body)
    assert kept[0] == [1]
    assert kept[-1] == [8] or kept[-1] == [7, 8]
    assert all(each[-1] == n for n, each in enumerate(kept, 1)), "the latest stays longest"


def test_the_first_and_the_last_four_failures_are_kept(app: Packhorse) -> None:
    message = message_for(plain.bind(), app.connection())
    for failed in range(1, 9):
        one = execution(app, message)
        one.prepare()
        outcome = close(one, Again(0.0, failed, 0, ERROR)).outcome
        assert isinstance(outcome, Retry)
        message = Message(message.id, message.queue, outcome.body)
    one = execution(app, message)
    one.prepare()
    outcome = close(one, Bury("spent", ERROR)).outcome
    assert isinstance(outcome, Dead)
    assert [failure.attempt for failure in death(outcome.record).failures] == [1, 6, 7, 8, 9]


@pytest.mark.parametrize("name", ["app", "sealed"])
def test_a_death_is_written_down(name: str, request: pytest.FixtureRequest) -> None:
    app: Packhorse = request.getfixturevalue(name)
    one = execution(app, plain.using(queue="low").bind())
    one.prepare()
    outcome = close(one, Bury("enough", ERROR)).outcome
    assert isinstance(outcome, Dead)
    record = death(outcome.record)
    assert (record.reason, record.connection, record.queue) == ("enough", "main", "low")
    assert record.worker == "barn-1"
    (failure,) = record.failures
    assert (failure.attempt, failure.message, failure.at) == (1, "no", record.failed_at)
    envelope = open_envelope(outcome.record)
    assert (envelope.id, envelope.job, envelope.at) == (
        one.envelope.id,
        "closing.plain",
        one.envelope.at,
    )
    assert envelope.enc == one.envelope.enc
    assert b"enough" not in outcome.record or name == "app"


def test_being_out_of_tries_is_no_failure_of_its_own(app: Packhorse) -> None:
    one = execution(app, plain.bind())
    one.prepare()
    outcome = close(one, Bury("spent", MaxAttemptsExceeded("spent"))).outcome
    assert isinstance(outcome, Dead)
    assert death(outcome.record).failures == ()


@pytest.mark.parametrize("reason", ["\ud800", "x" * 100_000, "", "\0" * 5_000])
def test_any_reason_can_be_written_down(app: Packhorse, reason: str) -> None:
    one = execution(app, plain.bind())
    one.prepare()
    outcome = close(one, Bury(reason)).outcome
    assert isinstance(outcome, Dead)
    assert len(death(outcome.record).reason.encode()) <= LIMIT


def test_a_message_that_nobody_can_open(app: Packhorse) -> None:
    delivery = delivered(Message(new_id(), "q", b"{"))
    settlement = bury(delivery, None, Bury("no envelope", ERROR), site(app))
    assert isinstance(settlement.outcome, Dead)
    assert settlement.job == ""
    envelope = open_envelope(settlement.outcome.record)
    assert (envelope.id, envelope.job, envelope.enc) == (delivery.message.id, "", ())
    assert death(settlement.outcome.record).reason == "no envelope"


def test_without_the_codec_nothing_of_the_message_is_written_down(sealed: Packhorse) -> None:
    message = message_for(plain.bind("secret"), sealed.connection())
    settlement = bury(
        delivered(message), open_envelope(message.body), Bury("no codec"), site(sealed, {})
    )
    assert isinstance(settlement.outcome, Dead)
    assert open_envelope(settlement.outcome.record).enc == ()
    assert death(settlement.outcome.record).failures == ()


def test_an_unknown_name_is_counted(app: Packhorse) -> None:
    message = message_for(plain.bind(), app.connection())
    envelope = open_envelope(message.body)
    for seen in (1, 2):
        settlement = wait_for_name(delivered(message, deliveries=3), envelope, 4.0)
        assert isinstance(settlement.outcome, Retry)
        assert settlement.seen == seen
        envelope = open_envelope(settlement.outcome.body)
        assert (envelope.unknown, envelope.lost, envelope.failed) == (seen, 2 * seen, 0)


def test_what_was_never_started_is_given_back(app: Packhorse) -> None:
    one = execution(app, plain.bind())
    assert give_back(one).outcome == Return(one.delivery)
    assert close(one, Finish("done")).outcome == Done(one.delivery)


def test_failed_is_called_with_a_fresh_copy_and_the_reason(app: Packhorse) -> None:
    told: list[tuple[list[int], str, bool]] = []

    class Told(Job, name="told"):
        numbers: list[int]

        def handle(self, ctx: JobContext) -> None: ...

        def failed(self, error: BaseException) -> None:
            told.append((self.numbers, str(error), JobContext.current() is None))

    one = execution(app, Told([1]).using())
    one.prepare()
    one.arguments.numbers.append(2)  # type: ignore[attr-defined]
    close(one, Bury("enough", ERROR))
    close(one, Bury("enough"))
    assert told == [([1], "no", True), ([1], "enough", True)]


def test_failed_of_arguments_that_cannot_be_read_is_not_called(
    app: Packhorse, caplog: pytest.LogCaptureFixture
) -> None:
    class Told(Job, name="told"):
        a: int

        def handle(self) -> None: ...

        def failed(self, error: BaseException) -> None:
            raise AssertionError("called")

    message = message_for(Told("x").using(), app.connection(), validate=False)  # type: ignore[arg-type]
    one = execution(app, message)
    verdict = one.prepare()
    assert isinstance(verdict, Bury)
    with caplog.at_level(logging.ERROR):
        assert isinstance(close(one, verdict).outcome, Dead)
    assert caplog.records == []


def test_what_can_no_longer_be_sealed_dies_without_a_word_in_clear(
    sealed: Packhorse, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = execution(sealed, plain.bind("secret"))
    one.prepare()

    def encode(*_: object) -> bytes:
        raise OSError("the key store is away")

    monkeypatch.setattr(Toy, "encode", encode)
    outcome = close(one, Again(0.0, 1, 0, ValueError("secret"))).outcome
    assert isinstance(outcome, Dead)
    assert b"secret" not in outcome.record
    record = death(outcome.record)
    assert record.reason == "failed; what went wrong could not be sealed"
    assert record.failures == ()
