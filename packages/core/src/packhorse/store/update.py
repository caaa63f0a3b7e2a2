"""Changes that depend on what a store holds: decided in memory for many at once, then written.

A change is a plain function from values to what is to be written. Many are carried out together:
one reading of all their keys, the functions one after the other, each seeing what those before it
write, one writing under the condition that nobody else wrote meanwhile. Those for which somebody
did are repeated.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress

from msgspec import Struct

from packhorse.store.contract import Absent, Condition, Delete, Equals, Group, Put, Store, Value


class Hold(Struct, frozen=True, gc=False):
    """Writes a value that lives for a lease, and is renewed with it for as long as the job runs."""

    key: str
    value: bytes


Write = Put | Delete | Hold


class Change(Struct, frozen=True):
    """What a function makes of some values: what is written, and what whoever asked is answered."""

    writes: Sequence[Write] = ()
    answer: object = None


class Update(Struct, frozen=True):
    """Asks that some keys be changed at once, or read.

    `change` gets the bytes under `keys`, None where there is nothing, and may write to these keys. It
    may be called more than once, so it must depend on nothing else. `store` is the connection whose
    store is meant; None: that of the job's own.
    """

    keys: Sequence[str]
    change: Callable[[Sequence[bytes | None]], Change]
    store: str | None = None


class Told(Struct, frozen=True):
    """What came of an update: its answer and what it holds, or what its function raised."""

    answer: object = None
    held: tuple[Hold, ...] = ()
    error: Exception | None = None


_NOTHING = Told()


def perform(store: Store, updates: Sequence[Update], lease: float) -> list[Told]:
    """Carries out updates in their order; two round trips, and two more for what was in the way.

    What is held lives for `lease` seconds. Raises `ConnectionLost`; then some may have been written.
    """
    told = [_NOTHING] * len(updates)
    left: list[int] = list(range(len(updates)))
    while left:
        keys = list(dict.fromkeys(key for index in left for key in updates[index].keys))
        values = dict(zip(keys, store.read(keys), strict=True))
        groups: list[Group] = []
        parts: list[list[int]] = []
        for part in _parts(updates, left):
            group = _decide(updates, part, values, told, lease)
            if group is not None:
                groups.append(group)
                parts.append(part)
        answers = store.apply(groups) if groups else []
        left = [i for part in compress(parts, (a is None for a in answers)) for i in part]
    return told


def _parts(updates: Sequence[Update], of: Iterable[int]) -> Iterable[list[int]]:
    """The updates that share keys, directly or through others, together; in their order."""
    part_of: dict[str, list[int]] = {}
    for index in of:
        keys = updates[index].keys
        part = part_of.setdefault(keys[0], [])
        for key in keys[1:]:
            other = part_of.setdefault(key, part)
            if other is not part:
                small, part = sorted((other, part), key=len)
                part += small
                part_of.update((key, part) for one in small for key in updates[one].keys)
        part_of.update((key, part) for key in keys)
        part.append(index)
    parts = {id(part): part for part in part_of.values()}
    return (sorted(part) for part in parts.values())


def _decide(
    updates: Sequence[Update],
    part: Sequence[int],
    values: Mapping[str, Value | None],
    told: list[Told],
    lease: float,
) -> Group | None:
    """The group that writes what a part's functions decide, if nothing moved; None: nothing to write."""
    present: dict[str, bytes | None] = {}
    writes: dict[str, Write] = {}
    for index in part:
        update = updates[index]
        try:
            change = update.change([_present(key, present, values) for key in update.keys])
            for write in change.writes:
                if write.key not in update.keys:
                    raise ValueError(f"an update of {update.keys} writes to {write.key!r}: name it")
        except Exception as error:
            told[index] = Told(error=error)
            continue
        held: tuple[Hold, ...] = ()
        for write in change.writes:
            writes[write.key] = write
            present[write.key] = None if isinstance(write, Delete) else write.value
            if isinstance(write, Hold):
                held += (write,)
        told[index] = Told(change.answer, held)
    if not writes:
        return None
    actions = [Put(w.key, w.value, lease) if isinstance(w, Hold) else w for w in writes.values()]
    unmoved = [_unmoved(key, values[key]) for key in present]
    return Group(actions, unmoved, partition=next(iter(present)))


def _present(
    key: str, present: dict[str, bytes | None], values: Mapping[str, Value | None]
) -> bytes | None:
    """What is under a key after the updates so far; raises `TypeError` for a number or a set."""
    if key in present:
        return present[key]
    value = values[key]
    if value is not None and not isinstance(value, bytes):
        raise TypeError(f"the store's key {key!r} holds no bytes; an update is about bytes alone")
    present[key] = value
    return value


def _unmoved(key: str, value: Value | None) -> Condition:
    return Equals(key, value) if isinstance(value, bytes) else Absent(key)
