"""The job that begins a batch, where a batch is a link of a chain."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from packhorse.context import JobContext
from packhorse.errors import ConnectionLost, PackhorseError, StoreRequired
from packhorse.flow.ledger import inner_batch
from packhorse.flow.pushing import Member, begin_again
from packhorse.job import Job, pending
from packhorse.options import exponential
from packhorse.wire.flow import Plan

if TYPE_CHECKING:
    from packhorse.connection import Connection
    from packhorse.pending import Pending


class _Given(Struct, frozen=True):
    """A batch, written down whole."""

    plan: Plan
    members: tuple[Member, ...]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Given).decode


class StartBatch(
    Job,
    name="packhorse.start_batch",
    tries=0,
    backoff=exponential(1.0, cap=60.0),
    timeout=0,
):
    """Pushes a batch, and hands the rest of the chain over to it; an outage makes it try again."""

    connection: str
    given: bytes

    def handle(self, ctx: JobContext) -> None:
        from packhorse.current import current_app

        assert ctx.surroundings is not None  # it is a link of a chain, or a member of a batch
        given, id = _decode(self.given), inner_batch(ctx.id)
        tally = current_app().batches.tally(self.connection)
        try:
            plan = msgspec.structs.replace(given.plan, rest=ctx.surroundings.hand_over())
            begin_again(tally, id, plan, given.members)
        except ConnectionLost:
            raise
        except PackhorseError as error:
            ctx.fail(error)
            if not isinstance(error, StoreRequired):
                tally.abandon(id)


def start(connection: "Connection", plan: Plan, members: Sequence[Member]) -> "Pending[Any]":
    """The job that begins this batch."""
    given = _encode(_Given(plan, tuple(members)))
    one = StartBatch(connection=connection.name, given=given)
    return pending(one).using(connection=connection.name)
