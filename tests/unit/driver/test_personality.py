"""What `memory://?like=…` takes away, broker by broker."""

import pytest

from packhorse.driver.abilities import Buries, Cancels, Clears, KeepsDead, Lists, Pauses, Rescues
from packhorse.driver.message import CEILING, LOST, Counts
from packhorse.driver.outcome import Dead, Done, Retry, Return
from packhorse.errors import ConfigError, Unsupported
from packhorse.testing import ManualClock
from tests.unit.driver.opening import QUEUE, memory, message, take, take_one, transport

ABILITIES = (Lists, Cancels, Clears, Pauses, KeepsDead, Buries, Rescues)


@pytest.mark.parametrize(
    ("like", "expected"),
    [
        ("", set(ABILITIES) - {Buries}),
        ("?like=cluster", set(ABILITIES) - {Buries}),
        ("?like=sqs", {Clears}),
        ("?like=sqs-fifo", {Clears}),
        ("?like=beanstalkd", {Clears, Buries}),
    ],
)
def test_a_driver_is_an_instance_of_its_abilities_and_of_no_other(
    like: str, expected: set[type]
) -> None:
    driver = transport(like)
    assert {ability for ability in ABILITIES if isinstance(driver, ability)} == expected


def test_a_broker_that_is_not_known_is_an_error_that_lists_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"'like' of memory:// is 'kafka'.*memory, sqs, sqs-fifo"):
        transport("?like=kafka")


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'lose'"):
        transport("?loose=3")


def test_max_body_lowers_the_limit_of_a_broker() -> None:
    driver = transport("?like=sqs&max_body=10")
    (refused,) = driver.send([message(b"x" * 11)])
    assert refused.state == "refused"
    assert "11 bytes" in str(refused.error)
    assert transport("?like=beanstalkd").capabilities.max_body == 65_508
    assert memory().capabilities.max_body is None


def test_sqs_a_stale_token_removes_the_message_that_another_worker_holds() -> None:
    clock = ManualClock()
    driver = transport("?like=sqs", clock)
    slow, fast = driver.consumer("slow"), driver.consumer("fast")
    driver.send([message()])
    stale = take_one(slow)
    clock.advance(31)
    take_one(fast)
    assert slow.settle([Done(stale)]) == ["applied"]
    assert driver.counts(QUEUE) == Counts()


def test_sqs_a_stale_retry_makes_a_second_copy_of_a_message_that_is_done() -> None:
    clock = ManualClock()
    driver = transport("?like=sqs", clock)
    slow, fast = driver.consumer("slow"), driver.consumer("fast")
    driver.send([message()])
    stale = take_one(slow)
    clock.advance(31)
    assert fast.settle([Done(take_one(fast))]) == ["applied"]
    assert slow.settle([Retry(stale, 0, b"again")]) == ["applied"]
    again = take_one(fast)
    assert (again.message.id, again.message.body) == (stale.message.id, b"again")


def test_sqs_renewing_with_a_stale_token_holds_the_message_for_its_new_holder() -> None:
    clock = ManualClock()
    driver = transport("?like=sqs", clock)
    slow, fast = driver.consumer("slow"), driver.consumer("fast")
    driver.send([message()])
    stale = take_one(slow)
    clock.advance(31)
    current = take_one(fast)
    clock.advance(20)
    assert isinstance(slow.renew([stale])[0], float)
    clock.advance(20)
    assert take(slow) == []
    fast.settle([Done(current)])
    assert slow.renew([stale]) == [LOST]


def test_sqs_a_returned_message_goes_behind_and_is_counted_from_the_start() -> None:
    clock = ManualClock()
    driver = transport("?like=sqs", clock)
    consumer = driver.consumer("worker")
    driver.send([message(b"first"), message(b"second")])
    take_one(consumer)
    clock.advance(31)
    first = take_one(consumer)
    assert (first.message.body, first.deliveries) == (b"first", 2)
    consumer.settle([Return(first)])
    assert [(each.message.body, each.deliveries) for each in take(consumer)] == [
        (b"second", 1),
        (b"first", 1),
    ]


def test_sqs_keeps_no_ids_and_no_dead_messages() -> None:
    driver = transport("?like=sqs")
    consumer = driver.consumer("worker")
    twice = message(once=60)
    assert [sent.state for sent in driver.send([twice, twice])] == ["stored", "stored"]
    first, second = take(consumer)
    assert consumer.settle([Dead(first, b"record"), Done(second)]) == ["applied", "applied"]
    assert [sent.state for sent in driver.send([twice])] == ["stored"]


def test_sqs_a_lease_is_renewed_for_twelve_hours_and_no_longer() -> None:
    clock = ManualClock()
    driver = transport("?like=sqs", clock, lease=7_200)
    consumer = driver.consumer("worker")
    driver.send([message()])
    delivery = take_one(consumer)
    assert delivery.renewable_until == clock.monotonic() + 43_200
    for _ in range(5):
        clock.advance(7_199)
        assert isinstance(consumer.renew([delivery])[0], float)
    clock.advance(7_199)
    assert consumer.renew([delivery]) == [CEILING]


@pytest.mark.parametrize("like", ["sqs", "beanstalkd"])
def test_delays_and_leases_are_whole_seconds(like: str) -> None:
    clock = ManualClock()
    driver = transport(f"?like={like}", clock, lease=1.2)
    consumer = driver.consumer("worker")
    driver.send([message(delay=0.1)])
    clock.advance(0.9)
    assert take(consumer) == []
    clock.advance(0.2)
    assert take_one(consumer).deadline == clock.monotonic() + 2


def test_sqs_a_delay_above_a_quarter_of_an_hour_is_refused_at_the_push_and_at_the_retry() -> None:
    driver = transport("?like=sqs")
    consumer = driver.consumer("worker")
    late, now = driver.send([message(delay=901), message(delay=0)])
    assert (late.state, now.state) == ("refused", "stored")
    delivery = take_one(consumer)
    assert consumer.settle([Retry(delivery, 901, b"later")]) == ["failed"]
    assert consumer.settle([Retry(delivery, 900, b"later")]) == ["applied"]


def test_sqs_fifo_a_retry_keeps_the_body_the_place_and_the_count() -> None:
    driver = transport("?like=sqs-fifo")
    consumer = driver.consumer("worker")
    driver.send([message(b"first"), message(b"second")])
    consumer.settle([Retry(take_one(consumer), 0, b"changed")])
    assert [(each.message.body, each.deliveries) for each in take(consumer)] == [
        (b"first", 2),
        (b"second", 1),
    ]


def test_sqs_fifo_a_retry_can_be_delayed_and_a_message_cannot() -> None:
    clock = ManualClock()
    driver = transport("?like=sqs-fifo", clock)
    consumer = driver.consumer("worker")
    refused, _ = driver.send([message(delay=1), message()])
    assert refused.state == "refused"
    consumer.settle([Retry(take_one(consumer), 4.5, b"")])
    clock.advance(4.6)
    assert take(consumer) == []
    clock.advance(0.4)
    assert len(take(consumer)) == 1


def test_beanstalkd_a_token_holds_only_for_the_connection_that_got_it() -> None:
    driver = transport("?like=beanstalkd")
    mine, other = driver.consumer("mine"), driver.consumer("other")
    driver.send([message()])
    delivery = take_one(mine)
    assert other.settle([Done(delivery)]) == ["gone"]
    assert other.renew([delivery]) == [LOST]
    assert mine.settle([Done(delivery)]) == ["applied"]


def test_cluster_a_follow_up_is_atomic_on_its_parents_queue_only() -> None:
    driver = memory("?like=cluster")
    consumer = driver.consumer("worker")
    driver.send([message()])
    parent = take_one(consumer)
    with pytest.raises(Unsupported, match="queue 'default'"):
        consumer.settle([Done(parent, [message(queue="elsewhere")])])
    assert consumer.settle([Done(parent, [message(b"next")])]) == ["applied"]
    assert take_one(consumer).message.body == b"next"
