"""What the store keeps of a batch, and what is written to it: values, and no store is called here.

Under `batch:{id}` the store keeps the plan, the set of members that are `pending`, and those that
`failed` or were `dropped`; what is in none of these is done. A batch is over when nothing is
pending: that is written once, under the condition that it still is so, and then the callbacks are
sent, under ids that follow from the batch's. A crash in between leaves the batch among those that
are `open`, for the next sweep.
"""

from collections.abc import Iterable, Sequence
from typing import Literal
from uuid import UUID

from packhorse.flow.chains import link_id
from packhorse.store.contract import (
    Absent,
    Action,
    AddMembers,
    Condition,
    Delete,
    Equals,
    Expire,
    Group,
    Increment,
    Put,
    RemoveMembers,
)

How = Literal["done", "failed", "dropped"]

KEEP = 7 * 86_400.0
"""Seconds for which a batch that is over can be looked at."""

ALL = "batches"
"""Where the store keeps the ids of all batches that it knows."""

OPEN = "batches:open"
"""Where the store keeps the ids of the batches whose end has not been told."""

DISPATCHER = b"dispatcher"
"""A member for as long as the dispatcher adds others, so that a quick worker does not end the batch."""

_PARTS = (
    "",
    ":total",
    ":pending",
    ":failed",
    ":dropped",
    ":cancelled",
    ":over",
    ":told",
    ":portion",
)


def member_of(id: UUID, length: int = 1) -> bytes:
    """What a batch counts: a job by its id, a chain by its own id and how many links it has."""
    return id.bytes if length == 1 else id.bytes + length.to_bytes(4, "big")


def job_ids(member: bytes) -> list[UUID]:
    """The ids of the jobs that a member may be on a broker under; the dispatcher has none."""
    if member == DISPATCHER:
        return []
    id, length = UUID(bytes=member[:16]), int.from_bytes(member[16:], "big") or 1
    return [link_id(id, place) for place in range(length)]


def batch_key(id: UUID, part: str = "") -> str:
    """Where the store keeps a part of a batch."""
    return f"batch:{id}:{part}" if part else f"batch:{id}"


def keys(id: UUID) -> list[str]:
    """Every key of a batch."""
    return [f"batch:{id}{part}" for part in _PARTS]


def begun(id: UUID, plan: bytes) -> list[Group]:
    """What is written before the first member is pushed."""
    return [
        Group(
            [
                Put(batch_key(id), plan),
                Increment(batch_key(id, "total"), 0),
                AddMembers(batch_key(id, "pending"), [DISPATCHER]),
            ],
            [Absent(batch_key(id))],
            partition=str(id),
        ),
        Group([AddMembers(ALL, [id.bytes])], partition=ALL),
        Group([AddMembers(OPEN, [id.bytes])], partition=OPEN),
    ]


def added(id: UUID, members: Sequence[bytes], number: int | None = None) -> Group:
    """What is written before more members are pushed; refused by a batch that is over.

    The dispatcher's portions are numbered, and each is counted on once, however often it is pushed.
    """
    actions: list[Action] = [
        AddMembers(batch_key(id, "pending"), members),
        Increment(batch_key(id, "total"), len(members)),
    ]
    conditions: list[Condition] = [Absent(batch_key(id, "over"))]
    if number is not None:
        at = batch_key(id, "portion")
        actions.append(Put(at, str(number).encode()))
        conditions.append(Equals(at, str(number - 1).encode()) if number else Absent(at))
    return Group(actions, conditions, partition=str(id))


def counted(id: UUID, ended: Iterable[tuple[bytes, How]]) -> Group:
    """What is written of members that have ended; its first answer says how many are pending."""
    by: dict[How, list[bytes]] = {"done": [], "failed": [], "dropped": []}
    for member, how in ended:
        by[how].append(member)
    actions = [
        RemoveMembers(batch_key(id, "pending"), [*by["done"], *by["failed"], *by["dropped"]])
    ]
    return Group(
        [
            *actions,
            *([AddMembers(batch_key(id, "failed"), by["failed"])] if by["failed"] else []),
            *([AddMembers(batch_key(id, "dropped"), by["dropped"])] if by["dropped"] else []),
        ],
        partition=str(id),
    )


def reopened(id: UUID, member: bytes) -> list[Group]:
    """What is written before a member that failed or was dropped is retried."""
    return [
        Group(
            [
                RemoveMembers(batch_key(id, "failed"), [member]),
                RemoveMembers(batch_key(id, "dropped"), [member]),
                AddMembers(batch_key(id, "pending"), [member]),
                Delete(batch_key(id, "over")),
                Delete(batch_key(id, "cancelled")),
                *(Expire(key, None) for key in keys(id)),
            ],
            partition=str(id),
        ),
        Group([AddMembers(ALL, [id.bytes])], partition=ALL),
        Group([AddMembers(OPEN, [id.bytes])], partition=OPEN),
    ]


def sizes(id: UUID) -> Group:
    """Asks how many are pending, have failed and were dropped; it changes nothing."""
    parts = ("pending", "failed", "dropped")
    return Group([RemoveMembers(batch_key(id, part), ()) for part in parts], partition=str(id))


def over(id: UUID, end: bytes) -> Group:
    """What is written once, when nothing is pending."""
    return Group(
        [Put(batch_key(id, "over"), end)],
        [Absent(batch_key(id, "pending")), Absent(batch_key(id, "over"))],
        partition=str(id),
    )


def sent(id: UUID, label: str) -> Group:
    """What is written when callbacks are sent: a retry that ends the batch anew sends them no more."""
    return Group([AddMembers(batch_key(id, "told"), [label.encode()])], partition=str(id))


def told(id: UUID, end: bytes) -> list[Group]:
    """What is written when all callbacks are sent, unless a retry has opened the batch again."""
    return [
        Group(
            [Expire(key, KEEP) for key in keys(id)],
            [Equals(batch_key(id, "over"), end)],
            partition=str(id),
        ),
        Group([RemoveMembers(OPEN, [id.bytes])], partition=OPEN),
    ]


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
        Group([RemoveMembers(OPEN, [id.bytes])], partition=OPEN),
    ]
