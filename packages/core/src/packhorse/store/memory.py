"""The memory store: a dict under one lock, for this process only."""

import threading
from collections.abc import Sequence

from msgspec import Struct

from packhorse.driver.contract import DriverSetup
from packhorse.driver.personality import OPTIONS
from packhorse.driver.url import Url
from packhorse.store.contract import (
    Absent,
    Action,
    AddMembers,
    Answers,
    Condition,
    Delete,
    Equals,
    Expire,
    Group,
    Has,
    Increment,
    Put,
    RemoveMembers,
    Store,
    Value,
)

SWEEP = 1_000
"""From so many keys on, those that are over are swept out whenever they may be half of all."""


class _Item(Struct):
    value: bytes | int | set[bytes]
    end: float | None


class MemoryStore(Store):
    """Keeps everything in this process; opened by a `memory://` URL."""

    def __init__(self, url: Url, setup: DriverSetup) -> None:
        url.expect(OPTIONS)
        self._clock = setup.clock
        self._latest = setup.clock.monotonic()
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._items: dict[str, _Item] = {}
        self._sweep_at = SWEEP

    def read(self, keys: Sequence[str]) -> list[Value | None]:
        with self._lock:
            now = self._now()
            items = [self._find(key, now) for key in keys]
            return [None if item is None else _shown(item.value) for item in items]

    def apply(self, groups: Sequence[Group]) -> list[Answers | None]:
        """As the contract says; `TypeError`, before its group, for a value of another kind."""
        with self._lock:
            now = self._now()
            answers = [self._group(group, now) for group in groups]
            if len(self._items) > self._sweep_at:
                living = {key: item for key, item in self._items.items() if _lives(item, now)}
                self._items = living
                self._sweep_at = SWEEP + 2 * len(living)
            return answers

    def after_fork(self) -> None:
        """Starts empty: a child shares nothing with its parent, and must not believe it does."""
        self._start()

    def close(self) -> None:
        """There is nothing to give back."""

    def _now(self) -> float:
        self._latest = max(self._latest, self._clock.monotonic())
        return self._latest

    def _find(self, key: str, now: float) -> _Item | None:
        item = self._items.get(key)
        return item if item is not None and _lives(item, now) else None

    def _group(self, group: Group, now: float) -> Answers | None:
        if not all(_holds(each, self._find(each.key, now)) for each in group.conditions):
            return None
        self._check_kinds(group, now)
        return tuple(self._act(action, now) for action in group.actions)

    def _check_kinds(self, group: Group, now: float) -> None:
        """Refuses a group that would add to what is no number or no set, before it is applied."""
        kinds: dict[str, type | None] = {}
        for action in group.actions:
            key, kind = action.key, type(action)
            if key not in kinds:
                item = self._find(key, now)
                kinds[key] = None if item is None else type(item.value)
            wanted = _NEEDS.get(kind)
            if wanted is not None and kinds[key] not in (None, wanted):
                raise TypeError(
                    f"{kind.__name__} on the store's key {key!r} needs a value of type "
                    f"{wanted.__name__}; there is one of another type, so use another key"
                )
            kinds[key] = _LEAVES.get(kind, kinds[key])

    def _act(self, action: Action, now: float) -> int | None:
        item, key = self._find(action.key, now), action.key
        if isinstance(action, Put):
            self._items[key] = _Item(action.value, _end(action.ttl, now))
        elif isinstance(action, Delete):
            self._items.pop(key, None)
        elif isinstance(action, Expire):
            if item is not None:
                item.end = _end(action.ttl, now)
        elif isinstance(action, Increment):
            value = action.by
            if item is not None and isinstance(item.value, int):
                value = item.value = item.value + action.by
            else:
                self._items[key] = _Item(value, _end(action.ttl, now))
            return value
        elif isinstance(action, AddMembers):
            return self._add(action, item, now)
        elif item is not None and isinstance(item.value, set):
            item.value.difference_update(action.members)
            if not item.value:
                del self._items[key]
            return len(item.value)
        else:
            return 0
        return None

    def _add(self, action: AddMembers, item: _Item | None, now: float) -> int:
        present = item.value if item is not None and isinstance(item.value, set) else set[bytes]()
        before = len(present)
        present.update(action.members)
        if present:
            kept = item.end if item is not None else None
            end = kept if action.ttl is None else _end(action.ttl, now)
            self._items[action.key] = _Item(present, end)
        return len(present) - before


_NEEDS: dict[type, type] = {Increment: int, AddMembers: set, RemoveMembers: set}
_LEAVES: dict[type, type | None] = {Put: bytes, Delete: None, Increment: int, AddMembers: set}


def _end(ttl: float | None, now: float) -> float | None:
    return None if ttl is None else now + ttl


def _lives(item: _Item, now: float) -> bool:
    return item.end is None or item.end > now


def _holds(condition: Condition, item: _Item | None) -> bool:
    if isinstance(condition, Absent):
        return item is None
    if isinstance(condition, Has):
        return item is not None and isinstance(item.value, set) and condition.member in item.value
    if item is None or not isinstance(item.value, bytes):
        return False
    if isinstance(condition, Equals):
        return item.value == condition.value
    prefix = condition.prefix
    return item.value[:prefix] == condition.value[:prefix] and item.value < condition.value


def _shown(value: bytes | int | set[bytes]) -> Value:
    return frozenset(value) if isinstance(value, set) else value
