"""Sending: what a push promises when it has returned."""

from uuid import UUID, uuid1, uuid4, uuid5

import pytest

from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Counts, Unique
from packhorse.errors import PayloadTooLarge, Unsupported
from packhorse.testing.promises.stage import (
    Stage,
    assert_counts,
    bodies,
    drain,
    in_order,
    message,
    numbered,
    put,
    round_up,
    take,
    take_one,
)

ODD_NAMES = [
    "a",
    "A",
    "with space",
    "a/b\\c",
    "a.b:c",
    "{tag}",
    "%s?&=",
    "quote'\"`; DROP TABLE jobs --",
    "grün-☃-\U0001f434",
    "line\nbreak\x00",
    "long-" * 30,
]


class Sending(Stage):
    """A push that returned is on the broker, whole and unchanged."""

    def test_a_push_that_returned_is_on_the_broker(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        sent = message(b"hello")
        (answer,) = driver.send([sent])
        assert (answer.id, answer.state) == (sent.id, "stored")
        assert_counts(driver, Counts(ready=1))
        assert take_one(consumer).message.id == sent.id

    def test_a_batch_is_stored_whole_and_answered_one_by_one(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        batch = numbered(25)
        answers = driver.send(batch)
        assert [answer.id for answer in answers] == [sent.id for sent in batch]
        assert {answer.state for answer in answers} == {"stored"}
        assert sorted(bodies(drain(consumer))) == sorted(sent.body for sent in batch)

    def test_a_batch_may_go_to_many_queues(self, driver: Driver, consumer: Consumer) -> None:
        put(driver, *(message(name.encode(), name) for name in ("a", "b", "a", "c")))
        assert bodies(drain(consumer, "a")) == [b"a", b"a"]
        assert bodies(drain(consumer, "b")) == [b"b"]
        assert bodies(drain(consumer, "c")) == [b"c"]

    def test_an_empty_batch_is_no_error(self, driver: Driver) -> None:
        assert driver.send([]) == []

    @pytest.mark.parametrize(
        "body",
        [b"", b"\0", bytes(range(256)), b"\xff\xfe", b" \r\n ", b"{}", "ü☃\U0001f434".encode()],
    )
    def test_a_body_comes_back_byte_for_byte(
        self, driver: Driver, consumer: Consumer, body: bytes
    ) -> None:
        put(driver, message(body))
        assert take_one(consumer).message.body == body

    def test_a_big_body_comes_back_whole(self, driver: Driver, consumer: Consumer) -> None:
        limit = driver.capabilities.max_body
        size = 1_000_000 if limit is None else min(limit, 1_000_000)
        body = (bytes(range(256)) * (size // 256 + 1))[:size]
        put(driver, message(body))
        whole = take_one(consumer).message.body == body
        assert whole  # not in one: an untruncated comparison of a megabyte takes minutes

    def test_a_body_above_the_limit_is_refused_and_leaves_nothing(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if driver.capabilities.max_body is None:
            return
        huge = message(b"x" * (driver.capabilities.max_body + 1))
        try:
            (answer,) = driver.send([huge])
        except PayloadTooLarge:
            pass
        else:
            assert answer.state == "refused"
            assert answer.error
        assert take(consumer) == []

    @pytest.mark.parametrize("queue", ODD_NAMES)
    def test_a_queue_may_have_any_name(
        self, driver: Driver, consumer: Consumer, queue: str
    ) -> None:
        put(driver, message(b"elsewhere", "other"), message(b"here", queue))
        delivery = take_one(consumer, queue)
        assert (delivery.message.queue, delivery.message.body) == (queue, b"here")
        assert take(consumer, queue=queue) == []

    def test_names_that_look_alike_are_different_queues(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        put(driver, *(message(name.encode(), name) for name in ODD_NAMES))
        for name in ODD_NAMES:
            assert bodies(drain(consumer, name)) == [name.encode()]

    @pytest.mark.parametrize(
        "id", [UUID(int=0), UUID(int=2**128 - 1), uuid1(), uuid4(), uuid5(UUID(int=7), "x")]
    )
    def test_an_id_comes_back_as_it_was_sent(
        self, driver: Driver, consumer: Consumer, id: UUID
    ) -> None:
        put(driver, message(id=id))
        assert take_one(consumer).message.id == id

    def test_a_unique_key_is_kept_or_refused(self, driver: Driver, consumer: Consumer) -> None:
        first, second = (message(unique=Unique("key")) for _ in range(2))
        if driver.capabilities.unique:
            put(driver, first)
            (answer,) = driver.send([second])
            assert (answer.state, answer.holder) == ("taken", first.id)
        else:
            with pytest.raises(Unsupported):
                driver.send([first])
        assert len(drain(consumer)) == driver.capabilities.unique

    def test_a_group_is_kept_or_refused(self, driver: Driver, consumer: Consumer) -> None:
        first, second = message(b"first", group="g"), message(b"second", group="g")
        if driver.capabilities.groups:
            put(driver, first, second)
            assert bodies(drain(consumer)) == [b"first"]
        else:
            with pytest.raises(Unsupported):
                driver.send([first, second])
            assert drain(consumer) == []

    def test_a_delay_beyond_the_limit_is_refused_and_leaves_nothing(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        limit = driver.capabilities.max_delay
        if limit is None:
            return
        late = message(delay=limit + round_up(1, driver.capabilities.delay_step))
        try:
            (answer,) = driver.send([late])
        except Unsupported:
            pass
        else:
            assert answer.state == "refused"
            assert answer.error
        assert drain(consumer) == []
        assert_counts(driver, Counts())

    def test_what_is_sent_in_a_batch_comes_in_its_order(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        batch = numbered(30)
        put(driver, *batch)
        expected = [sent.body for sent in batch]
        found = bodies(drain(consumer, limit=7))
        assert in_order(driver, found) == in_order(driver, expected)
