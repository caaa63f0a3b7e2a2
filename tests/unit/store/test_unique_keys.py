"""Unique keys in a store, as those who send take them: each moment at which one may die, one by one."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from packhorse.driver.contract import DriverSetup
from packhorse.driver.message import Message, Sent, Unique
from packhorse.driver.url import Url
from packhorse.errors import ConnectionLost
from packhorse.store.holds import SENDING, Place
from packhorse.store.memory import MemoryStore
from packhorse.store.unique import PORTION, UniqueKeys
from packhorse.testing import ManualClock

QUEUE = "q"
WEEKS = 8 * 7 * 86_400.0


class Scene:
    """A store, its keys, and a broker that remembers what it was sent."""

    def __init__(self, retention: float | None = None) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(Url.parse("memory://"), DriverSetup(clock=self.clock))
        self.keys = UniqueKeys(self.store, "main", retention)
        self.messages: list[Message] = []

    def broker(self, messages: Sequence[Message]) -> list[Sent]:
        self.messages += messages
        return [Sent(one.id, "stored") for one in messages]

    def send(self, *messages: Message) -> list[Sent]:
        return self.keys.send(messages, self.broker)

    def is_held(self, key: str = "k") -> bool:
        return self.store.read([self.place(key).key]) != [None]

    def place(self, key: str = "k", id: UUID | None = None) -> Place:
        return self.keys.place(QUEUE, id or uuid4(), Unique(key))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def message(key: str | None = "k", delay: float = 0.0, **unique: object) -> Message:
    wanted = None if key is None else Unique(key, **unique)  # type: ignore[arg-type]
    return Message(uuid4(), QUEUE, b"body", delay, wanted)


def lost(messages: Sequence[Message]) -> list[Sent]:
    raise ConnectionLost("away")


def test_the_broker_never_sees_a_key(scene: Scene) -> None:
    one, plain = message(), message(None)
    sent = scene.send(one, plain, message())
    assert [answer.state for answer in sent] == ["stored", "stored", "taken"]
    assert sent[2].holder == one.id
    assert [(each.id, each.unique) for each in scene.messages] == [(one.id, None), (plain.id, None)]


def test_a_message_that_waits_for_weeks_keeps_its_key(scene: Scene) -> None:
    scene.send(message(delay=WEEKS / 2))
    scene.clock.advance(WEEKS)
    assert scene.is_held()


def test_a_key_ends_when_the_broker_has_dropped_its_message() -> None:
    scene = Scene(retention=100.0)
    scene.send(message(delay=900.0))
    scene.clock.advance(999.0)
    assert scene.is_held()
    scene.clock.advance(2.0)
    assert not scene.is_held()


def test_who_dies_before_sending_leaves_a_key_that_ends_soon(scene: Scene) -> None:
    def dies(messages: Sequence[Message]) -> list[Sent]:
        scene.store.apply = None  # type: ignore[assignment, method-assign]
        raise SystemExit

    apply = scene.store.apply
    with pytest.raises(TypeError):
        scene.keys.send([message()], dies)
    scene.store.apply = apply  # type: ignore[method-assign]
    assert scene.send(message())[0].state == "taken"
    scene.clock.advance(SENDING + 1)
    assert scene.send(message())[0].state == "stored"


def test_who_takes_too_long_for_sending_hears_that_another_has_the_key(scene: Scene) -> None:
    other = message()

    def slow(messages: Sequence[Message]) -> list[Sent]:
        scene.clock.advance(SENDING + 1)
        scene.send(other)
        return scene.broker(messages)

    (answer,) = scene.keys.send([message()], slow)
    assert (answer.state, answer.holder) == ("taken", other.id)


def test_who_is_replaced_while_sending_was_sent(scene: Scene) -> None:
    def replaced(messages: Sequence[Message]) -> list[Sent]:
        scene.send(message(on_taken="replace"))
        return scene.broker(messages)

    assert scene.keys.send([message()], replaced)[0].state == "stored"


def test_a_push_that_fails_gives_the_key_back_at_once(scene: Scene) -> None:
    with pytest.raises(ConnectionLost):
        scene.keys.send([message(), message("other")], lost)
    assert not scene.is_held()
    assert not scene.is_held("other")


def test_a_push_that_fails_gives_back_what_it_replaced(scene: Scene) -> None:
    first = message()
    scene.send(first)
    with pytest.raises(ConnectionLost):
        scene.keys.send([message(on_taken="replace")], lost)
    assert scene.send(message())[0].holder == first.id
    assert scene.store.read([scene.place(id=first.id).mark]) == [None]
    scene.clock.advance(WEEKS)
    assert scene.is_held()


def test_what_the_broker_refuses_takes_no_key(scene: Scene) -> None:
    def refuses(messages: Sequence[Message]) -> list[Sent]:
        return [Sent(one.id, "refused", error="too large") for one in messages]

    assert scene.keys.send([message()], refuses)[0].state == "refused"
    assert not scene.is_held()


def test_a_repeat_of_what_was_sent_is_known(scene: Scene) -> None:
    one = message()
    assert [answer.state for answer in (*scene.send(one), *scene.send(one))] == ["stored", "known"]
    assert len(scene.messages) == 1


def test_a_replaced_one_is_marked_once_the_other_is_sent(scene: Scene) -> None:
    first, second = message(), message(on_taken="replace")
    scene.send(first)
    mark = scene.place(id=first.id).mark

    def looks(messages: Sequence[Message]) -> list[Sent]:
        assert scene.store.read([mark]) == [None]
        return scene.broker(messages)

    (answer,) = scene.keys.send([second], looks)
    assert answer.superseded == first.id
    assert scene.store.read([mark]) == [second.id.bytes]


def test_of_one_push_the_last_replaces_the_others(scene: Scene) -> None:
    messages = [message(on_taken="replace") for _ in range(3)]
    sent = scene.send(*messages)
    assert [answer.superseded for answer in sent] == [None, messages[0].id, messages[1].id]
    assert scene.send(message())[0].holder == messages[2].id


def test_a_run_of_replacements_is_due_after_its_longest_wait(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", scene.clock.wall)
    for _ in range(4):
        scene.send(message(delay=50.0, on_taken="replace", max_wait=100.0))
        scene.clock.advance(40.0)
    assert [one.delay for one in scene.messages] == [50.0, 50.0, 20.0, 0.0]


def test_many_are_sent_in_order_and_portions(scene: Scene) -> None:
    messages = [message(f"k{number}") for number in range(PORTION + 10)]
    scene.send(*messages)
    assert [one.id for one in scene.messages] == [one.id for one in messages]


def test_names_of_connections_queues_and_keys_are_told_apart(scene: Scene) -> None:
    names = [("a", "b", "c"), ("a", "b:c", ""), ("a:b", "c", ""), ("ab", "", "c"), ("a", "bc", "")]
    keys = {
        UniqueKeys(scene.store, connection, None).place(queue, uuid4(), Unique(key)).key
        for connection, queue, key in names
    }
    assert len(keys) == len(names)
