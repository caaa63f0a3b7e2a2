"""`failover://` sends to the first member that can be reached."""

from collections.abc import Sequence

import pytest

from packhorse.driver.abilities import Clears, Lists, Pauses
from packhorse.driver.contract import Driver, DriverSetup
from packhorse.driver.failover import FailoverDriver
from packhorse.driver.memory import MemoryTransport
from packhorse.driver.message import Message, Sent
from packhorse.driver.personality import PERSONALITIES
from packhorse.driver.url import Url
from packhorse.errors import ConfigError, ConnectionLost, Unsupported
from packhorse.events import Event, QueueFailedOver
from packhorse.testing import ManualClock
from tests.unit.driver.opening import QUEUE, memory, message, transport


class Unreachable(MemoryTransport):
    """A broker that is away until `back`; counts who asked."""

    def __init__(self) -> None:
        super().__init__(DriverSetup(), PERSONALITIES["memory"])
        self.back = False
        self.asked = 0

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        self.asked += 1
        if not self.back:
            raise ConnectionLost("the broker is away")
        return super().send(messages)


class World:
    """Connections by name, a clock and the events that came."""

    def __init__(self, **members: Driver) -> None:
        self.members = members
        self.clock = ManualClock()
        self.events: list[Event] = []

    def open(self, url: str = "failover://first,second") -> FailoverDriver:
        setup = DriverSetup(
            connection="both",
            peer=self.members.__getitem__,
            notify=self.events.append,
            clock=self.clock,
        )
        return FailoverDriver.open(Url.parse(url), setup)


def ready(driver: Driver) -> int:
    return driver.counts(QUEUE).ready


def test_the_first_member_gets_what_is_sent_and_nothing_is_told() -> None:
    world = World(first=memory(), second=memory())
    assert world.open().send([message()])[0].state == "stored"
    assert (ready(world.members["first"]), ready(world.members["second"])) == (1, 0)
    assert world.events == []


def test_the_next_member_gets_it_if_the_first_cannot_be_reached() -> None:
    world = World(first=Unreachable(), second=memory())
    sent = message()
    assert [each.id for each in world.open().send([sent])] == [sent.id]
    assert ready(world.members["second"]) == 1
    assert world.events == [
        QueueFailedOver(connection="first", to="second", error="the broker is away")
    ]


def test_a_member_that_failed_is_left_alone_for_a_while_and_then_tried_again() -> None:
    first = Unreachable()
    world = World(first=first, second=memory())
    driver = world.open()
    for _ in range(3):
        driver.send([message()])
    assert first.asked == 1
    first.back = True
    world.clock.advance(5.1)
    driver.send([message()])
    driver.send([message()])
    assert (first.asked, ready(first), ready(world.members["second"])) == (3, 2, 3)


def test_a_resting_member_is_tried_when_the_others_fail_too() -> None:
    first, second = Unreachable(), Unreachable()
    driver = World(first=first, second=second).open()
    with pytest.raises(ConnectionLost, match=r"first, second can be reached.*is away"):
        driver.send([message()])
    first.back = True
    assert driver.send([message()])[0].state == "stored"


def test_only_a_lost_connection_moves_on() -> None:
    world = World(first=transport("?like=sqs"), second=memory())
    grouped = Message(message().id, QUEUE, b"", group="g")
    with pytest.raises(Unsupported):
        world.open().send([grouped])
    assert ready(world.members["second"]) == 0


def test_a_reply_that_was_lost_leaves_the_job_on_both_under_one_id() -> None:
    first, second = memory("?lose=1"), memory()
    World(first=first, second=second).open().send([sent := message()])
    for member in (first, second):
        assert [listed.message.id for listed in member.list(QUEUE, "waiting", 10)] == [sent.id]


def test_all_but_sending_is_the_first_members() -> None:
    first, second = memory(), transport("?like=sqs")
    driver = World(first=first, second=second).open()
    second.send([message()])
    first.send([message(b"mine")])
    (delivery,) = driver.consumer("worker").reserve([QUEUE], 10, 0).deliveries
    assert delivery.message.body == b"mine"
    assert driver.counts(QUEUE).reserved == 1
    assert driver.capabilities.follow == first.capabilities.follow
    assert isinstance(driver, Pauses)
    driver.pause(QUEUE, for_=60)
    assert list(first.paused()) == [QUEUE]
    driver.close()
    driver.close()
    assert first.counts(QUEUE).reserved == 1


def test_it_has_no_ability_that_the_first_member_lacks() -> None:
    driver = World(first=transport("?like=sqs"), second=memory()).open()
    assert isinstance(driver, Clears)
    assert not isinstance(driver, Pauses)
    assert not isinstance(driver, Lists)
    assert not hasattr(driver, "pause")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("failover://first", "no two different"),
        ("failover://", "no two different"),
        ("failover://first,first", "no two different"),
        ("failover://first,,second", "no two different"),
        ("failover://first,both", "'both' fails over to itself"),
        ("failover://first,second?rest=9", "no option 'rest'"),
    ],
)
def test_a_url_that_cannot_work_says_why(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        World(first=memory(), second=memory()).open(url)


def test_keys_and_groups_are_kept_if_each_member_keeps_them() -> None:
    both = World(first=memory(), second=memory()).open().capabilities
    assert (both.unique, both.groups, both.retention) == (True, True, None)
    mixed = World(first=memory(), second=transport("?like=sqs")).open().capabilities
    assert (mixed.unique, mixed.groups, mixed.retention) == (False, False, None)
    lesser = (
        World(first=transport("?like=sqs"), second=transport("?like=sqs-fifo")).open().capabilities
    )
    assert (lesser.unique, lesser.groups, lesser.retention) == (False, False, 14 * 86_400.0)
