"""The Redis store: reads in one round trip, and each call of `apply` in one for some hundred groups."""

from collections.abc import Sequence
from math import ceil

from packhorse.plugin import (
    Absent,
    Action,
    AddMembers,
    Answers,
    Condition,
    Delete,
    DriverSetup,
    Equals,
    Expire,
    Group,
    Has,
    Increment,
    Older,
    Put,
    RemoveMembers,
    Store,
    Url,
    Value,
)
from packhorse_redis.address import Address, prefix_of
from packhorse_redis.connection import Arg, Reply
from packhorse_redis.replies import items, text
from packhorse_redis.scripts import script
from packhorse_redis.server import Server
from packhorse_redis.slot import Slot

_MOST = 500
"""Groups, or keys that are read, in one call."""


class RedisStore(Store):
    """Keeps shared state beside the messages, each entry under a key of its own.

    Bytes have '=' before them, so that they are never taken for an integer.
    """

    def __init__(self, url: Url, setup: DriverSetup) -> None:
        self._server = Server(Address.read(url), setup)
        self._slot = Slot(prefix_of(url))

    def read(self, keys: Sequence[str]) -> list[Value | None]:
        values: list[Value | None] = []
        for start in range(0, len(keys), _MOST):
            named = [self._key(key) for key in keys[start : start + _MOST]]
            head = (*self._slot.head(script("read"))[:2], len(named), *named)
            reply = self._server.call(head, again=True, script=script("read"))
            values += [_value(each) for each in items(reply)]
        return values

    def apply(self, groups: Sequence[Group]) -> list[Answers | None]:
        """As the contract says; `TypeError`, before its group, for a value of another kind."""
        answers: list[Answers | None] = []
        for start in range(0, len(groups), _MOST):
            answers += self._apply(groups[start : start + _MOST])
        return answers

    def _apply(self, groups: Sequence[Group]) -> list[Answers | None]:
        numbers: dict[str, int] = {}

        def number(key: str) -> int:
            return numbers.setdefault(key, len(numbers) + 1)

        given: list[Arg] = []
        for group in groups:
            given.append(len(group.conditions))
            for condition in group.conditions:
                given += _condition(condition, number(condition.key))
            given.append(len(group.actions))
            for action in group.actions:
                given += _action(action, number(action.key))
        named = [self._key(key) for key in numbers]
        head = (*self._slot.head(script("apply"))[:2], len(named), *named)
        reply = items(self._server.call(head, given, script=script("apply")))
        return [_answers(each, [*numbers]) for each in reply]

    def _key(self, key: str) -> bytes:
        return self._slot.key("store", key)

    def after_fork(self) -> None:
        self._server.after_fork()

    def close(self) -> None:
        self._server.close()


def _condition(condition: Condition, key: int) -> tuple[Arg, ...]:
    if isinstance(condition, Absent):
        return "absent", key
    if isinstance(condition, Equals):
        return "equals", key, b"=" + condition.value
    if isinstance(condition, Older):
        return "older", key, b"=" + condition.value, condition.prefix
    assert isinstance(condition, Has)
    return "has", key, condition.member


def _action(action: Action, key: int) -> tuple[Arg, ...]:
    if isinstance(action, Put):
        return "put", key, b"=" + action.value, _milliseconds(action.ttl)
    if isinstance(action, Increment):
        return "increment", key, str(action.by), _milliseconds(action.ttl)
    if isinstance(action, AddMembers):
        return "add", key, len(action.members), *action.members, _milliseconds(action.ttl)
    if isinstance(action, RemoveMembers):
        return "remove", key, len(action.members), *action.members
    if isinstance(action, Expire):
        return "expire", key, _milliseconds(action.ttl)
    assert isinstance(action, Delete)
    return "delete", key


def _milliseconds(ttl: float | None) -> Arg:
    return "" if ttl is None else max(1, ceil(min(ttl, 1e9) * 1000))


def _answers(reply: Reply, keys: Sequence[str]) -> Answers | None:
    if reply is None:
        return None
    if isinstance(reply, bytes):
        number, action = reply.decode().split()
        raise TypeError(
            f"{action} on the store's key {keys[int(number) - 1]!r}, which holds a value of another "
            "kind: use another key"
        )
    return tuple(None if each is None else int(text(each)) for each in items(reply))


def _value(reply: Reply) -> Value | None:
    if reply is None:
        return None
    if isinstance(reply, list):
        return frozenset(text(member) for member in reply)
    value = text(reply)
    return value[1:] if value.startswith(b"=") else int(value)
