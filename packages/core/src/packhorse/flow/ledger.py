"""What the store keeps of a batch, and what is written to it: values, and no store is called here.

Under `batch:{id}` the store keeps the plan, the set of members that are `pending`, and those that
`failed` or were `dropped`; what is in none of these is done. A member leaves `pending` once, so it
counts once. While somebody dispatches, `pushing` is there, with the members that are on their way;
`alive` runs out if nothing is heard of them. A batch is over when nothing is pending and nobody
dispatches: that is written once, under the condition that it still is so, and then the callbacks
are sent, under ids that follow from the batch's. Until they are, the batch is among the `open`
ones, for the next sweep.
"""

from collections.abc import Iterable, Sequence
from typing import Literal
from uuid import UUID

import msgspec

from packhorse.flow.chains import link_id
from packhorse.ids import derived_id
from packhorse.store.contract import (
    Absent,
    Action,
    AddMembers,
    Condition,
    Delete,
    Equals,
    Expire,
    Group,
    Has,
    Increment,
    Put,
    RemoveMembers,
)

How = Literal["done", "failed", "dropped"]

KEEP = 7 * 86_400.0
"""Seconds for which a batch that is over can be looked at."""

ALIVE = 600.0
"""Seconds after which a dispatcher that was not heard of counts as dead; a job that dispatches is
run again whatever happens to its worker, and has as long as a batch is kept."""

ALL = "batches"
"""Where the store keeps the ids of all batches that it knows."""

OPEN = "batches:open"
"""Where the store keeps the ids of the batches whose end has not been told."""

_ID = 16
"""Bytes of an id."""

_PARTS = (
    "",
    ":total",
    ":pending",
    ":failed",
    ":dropped",
    ":cause",
    ":cancelled",
    ":over",
    ":told",
    ":where",
    ":portion",
    ":pushing",
    ":alive",
)

_encode = msgspec.msgpack.Encoder().encode
pushed_now = msgspec.msgpack.Decoder(list[bytes]).decode
"""The members that `pushing` names."""


def member_of(id: UUID, length: int = 1) -> bytes:
    """What a batch counts: a job by its id, a chain by its own id and how many links it has."""
    return id.bytes if length == 1 else id.bytes + length.to_bytes(4, "big")


def chain_of(member: bytes) -> UUID:
    """The id of a member: the job's, or the chain's and its first job's."""
    return UUID(bytes=member[:_ID])


def job_ids(member: bytes, more: int = 0) -> list[UUID]:
    """The ids of the jobs that a member may be on a broker under; `more` if its chain has grown."""
    length = max(int.from_bytes(member[_ID:], "big") or 1, more)
    return [link_id(chain_of(member), place) for place in range(length)]


def inner_batch(job: UUID) -> UUID:
    """The id of the batch that a job begins, where a batch is a link of a chain."""
    return derived_id(job, "batch")


def batch_key(id: UUID, part: str = "") -> str:
    """Where the store keeps a part of a batch."""
    return f"batch:{id}:{part}" if part else f"batch:{id}"


def keys(id: UUID) -> list[str]:
    """Every key of a batch."""
    return [f"batch:{id}{part}" for part in _PARTS]


def begun(id: UUID, plan: bytes, by_job: bool) -> list[Group]:
    """What is written before the first member is pushed; once, however often it is written."""
    return [
        *_listed(id),
        alive(id, by_job),
        Group(
            [
                Put(batch_key(id), plan),
                Increment(batch_key(id, "total"), 0),
                Put(batch_key(id, "pushing"), _encode([])),
            ],
            [Absent(batch_key(id))],
            partition=str(id),
        ),
    ]


def alive(id: UUID, by_job: bool = False) -> Group:
    """What a dispatcher writes now and then."""
    ttl = KEEP if by_job else ALIVE
    return Group([Put(batch_key(id, "alive"), b"1", ttl)], partition=str(id))


def added(id: UUID, members: Sequence[bytes], where: Iterable[str]) -> Group:
    """What is written before more members are pushed; refused by a batch that is over."""
    return Group(_added(id, members, where), [Absent(batch_key(id, "over"))], partition=str(id))


def dispatched(id: UUID, members: Sequence[bytes], where: Iterable[str], number: int) -> Group:
    """What its dispatcher writes before it pushes another portion.

    Portions are numbered from 0, and each is counted on once, however often it is written.
    """
    at = batch_key(id, "portion")
    before: Condition = Equals(at, str(number - 1).encode()) if number else Absent(at)
    return Group(
        [
            *_added(id, members, where),
            Put(batch_key(id, "pushing"), _encode(list(members))),
            Put(at, str(number).encode()),
        ],
        [Absent(batch_key(id, "over")), before],
        partition=str(id),
    )


def spread(id: UUID, connections: Iterable[str]) -> Group:
    """What is written before members go on to other connections."""
    names = [name.encode() for name in connections]
    return Group([AddMembers(batch_key(id, "where"), names)], partition=str(id))


def pushed(id: UUID) -> Group:
    """What is written when a portion has arrived."""
    return Group([Put(batch_key(id, "pushing"), _encode([]))], partition=str(id))


def all_pushed(id: UUID) -> Group:
    """What is written when nobody dispatches any more."""
    parts = ("pushing", "alive")
    return Group([Delete(batch_key(id, part)) for part in parts], partition=str(id))


def not_pushed(id: UUID, members: Iterable[bytes]) -> list[Group]:
    """What is written of jobs that turned out not to be members, since their unique keys are taken."""
    pending = batch_key(id, "pending")
    return [
        Group(
            [RemoveMembers(pending, [one]), Increment(batch_key(id, "total"), -1)],
            [Has(pending, one)],
            partition=str(id),
        )
        for one in members
    ]


def counted(id: UUID, ended: Iterable[tuple[bytes, How, bytes]], total: bool) -> list[Group]:
    """What is written of members that have ended, each unless it is counted already.

    With one that failed goes the cause, as it is kept. The last group answers how many are pending,
    and how many there are if `total` is asked for.
    """
    pending = batch_key(id, "pending")
    done, groups = [], []
    for member, how, cause in ended:
        if how == "done":
            done.append(member)
            continue
        moved: list[Action] = [
            RemoveMembers(pending, [member]),
            AddMembers(batch_key(id, how), [member]),
        ]
        if how == "failed":
            moved.append(Put(batch_key(id, "cause"), cause))
        groups.append(Group(moved, [Has(pending, member)], partition=str(id)))
    last: list[Action] = [RemoveMembers(pending, done)]
    if total:
        last.append(Increment(batch_key(id, "total"), 0))
    return [*groups, Group(last, partition=str(id))]


def reopened(id: UUID, members: Iterable[bytes]) -> list[Group]:
    """What is written before members that failed are retried."""
    failed = batch_key(id, "failed")
    return [
        *_listed(id),
        *(
            Group(
                [
                    RemoveMembers(failed, [member]),
                    AddMembers(batch_key(id, "pending"), [member]),
                    *(Delete(batch_key(id, part)) for part in ("over", "cancelled", "cause")),
                    *(Expire(key, None) for key in keys(id)),
                ],
                [Has(failed, member)],
                partition=str(id),
            )
            for member in members
        ),
    ]


def sizes(id: UUID) -> Group:
    """Asks how many are pending, have failed and were dropped; it changes nothing."""
    parts = ("pending", "failed", "dropped")
    return Group([RemoveMembers(batch_key(id, part), ()) for part in parts], partition=str(id))


def over(id: UUID, end: bytes) -> Group:
    """What is written once, when nothing is pending and nobody dispatches."""
    return Group(
        [Put(batch_key(id, "over"), end)],
        [Absent(batch_key(id, part)) for part in ("pending", "pushing", "over")],
        partition=str(id),
    )


def sent(id: UUID, label: str) -> Group:
    """What is written when callbacks are sent: a retry that ends the batch anew sends them no more."""
    return Group([AddMembers(batch_key(id, "told"), [label.encode()])], partition=str(id))


def told(id: UUID, end: bytes) -> Group:
    """What is written when all callbacks are sent, unless a retry has opened the batch again."""
    return Group(
        [Expire(key, KEEP) for key in keys(id)],
        [Equals(batch_key(id, "over"), end)],
        partition=str(id),
    )


def closed(id: UUID) -> Group:
    """What takes a batch from those whose end is to be told."""
    return Group([RemoveMembers(OPEN, [id.bytes])], partition=OPEN)


def opened(id: UUID) -> Group:
    """What puts a batch among those whose end is to be told."""
    return Group([AddMembers(OPEN, [id.bytes])], partition=OPEN)


def cancelled(id: UUID) -> Group:
    """What keeps pending members from running."""
    return Group(
        [Put(batch_key(id, "cancelled"), b"1")],
        [Absent(batch_key(id, "over")), Absent(batch_key(id, "cancelled"))],
        partition=str(id),
    )


def forgotten(id: UUID) -> list[Group]:
    """What removes a batch from the store."""
    return [
        Group([Delete(key) for key in keys(id)], partition=str(id)),
        Group([RemoveMembers(ALL, [id.bytes])], partition=ALL),
        closed(id),
    ]


def _added(id: UUID, members: Sequence[bytes], where: Iterable[str]) -> list[Action]:
    return [
        AddMembers(batch_key(id, "pending"), members),
        Increment(batch_key(id, "total"), len(members)),
        AddMembers(batch_key(id, "where"), [name.encode() for name in where]),
    ]


def _listed(id: UUID) -> list[Group]:
    """First of all a sweep must find it: a crash between two groups leaves an id too many, not too few."""
    return [opened(id), Group([AddMembers(ALL, [id.bytes])], partition=ALL)]
