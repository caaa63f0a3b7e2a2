"""The job that begins a batch, where a batch is a link of a chain."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from packhorse.context import JobContext
from packhorse.flow.batch import Member, begin
from packhorse.flow.link import KNOWN
from packhorse.ids import derived_id
from packhorse.job import Job, pending
from packhorse.wire.flow import Plan, Rest

if TYPE_CHECKING:
    from packhorse.connection import Connection
    from packhorse.pending import Pending


class _Given(Struct, frozen=True):
    """A batch, written down whole."""

    plan: Plan
    members: tuple[Member, ...]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Given).decode


class StartBatch(Job, name="packhorse.start_batch"):
    """Pushes a batch, and hands the rest of the chain over to it."""

    connection: str
    given: bytes

    def handle(self, ctx: JobContext) -> None:
        from packhorse.current import current_app

        given = _decode(self.given)
        chain = None if ctx.chain is None else ctx.chain.hand_over()
        membership = None if ctx.surroundings is None else ctx.surroundings.membership
        plan = msgspec.structs.replace(given.plan, rest=Rest(chain, membership))
        tally = current_app().batches.tally(self.connection)
        begin(tally, derived_id(ctx.id, "batch"), plan, given.members, once=KNOWN)


def start(connection: "Connection", plan: Plan, members: Sequence[Member]) -> "Pending[Any]":
    """The job that begins this batch."""
    given = _encode(_Given(plan, tuple(members)))
    one = StartBatch(connection=connection.name, given=given)
    return pending(one).using(connection=connection.name)
