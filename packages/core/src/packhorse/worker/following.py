"""What follows from a verdict besides its outcome: the next link, callbacks, what a batch counts.

Messages that the broker can send in the settling's own transaction become its `follow`; the others
are sent ahead of it, under ids that stay known, so that a repeat is absorbed.
"""

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from packhorse.driver.message import Message
from packhorse.flow.chains import ended, portion_key
from packhorse.flow.step import callbacks, next_link, unfolded
from packhorse.store.contract import Delete, Group
from packhorse.wire.flow import Cause, Chain, Membership
from packhorse.worker.attempt import Again, Bury, Finish, Verdict

if TYPE_CHECKING:
    from packhorse.connection import Connection
    from packhorse.worker.execution import Execution

GOES_ON = frozenset({"done", "deleted", "skipped"})
"""Results with which a chain goes on."""


class Counted(Struct, frozen=True):
    """What a batch is to count: one of its members, and how that ended."""

    batch: Membership
    how: Literal["done", "failed", "dropped"]
    cause: Cause | None = None


class Consequences(Struct, frozen=True):
    """What a settling brings along.

    `follow` goes with the outcome itself. `ahead` is sent, and `before` written, before the broker
    is told; `after` is written, and `counted` counted, once the broker has applied the outcome.
    Stores are named by their connections.
    """

    follow: "tuple[Message, ...]" = ()
    ahead: "tuple[tuple[Connection, Message], ...]" = ()
    before: tuple[tuple[str, Group], ...] = ()
    after: tuple[tuple[str, Group], ...] = ()
    counted: Counted | None = None


def consequences(execution: "Execution", verdict: Verdict) -> Consequences | None:
    """What follows; None for a job that stands alone, or goes on.

    Raises what stands in the way of the next link: `PayloadTooLarge`, `ConfigError`, `PluginError`.
    """
    body = execution.body
    if isinstance(verdict, Again) or (body is None or (body.chain is None and body.batch is None)):
        return None
    if isinstance(verdict, Finish) and verdict.result in GOES_ON:
        return _gone_on(execution, body.chain, body.batch)
    return _over(execution, verdict, body.chain, body.batch)


def _gone_on(
    execution: "Execution", chain: Chain | None, batch: Membership | None
) -> Consequences | None:
    if chain is not None:
        around = execution.context.surroundings
        touched = None if around is None else around.touched
        if touched is not None:
            changed = touched.changed()
            if changed is None:
                return None  # a batch goes on with it, and with the membership
            chain = changed
        used = None
        if not chain.links and chain.tail:
            used = Group([Delete(portion_key(chain.id, chain.tail))], partition=str(chain.id))
            chain = unfolded(chain, execution.portion)
        if chain.links:
            return _next(execution, chain, batch, used)
    done = None if batch is None or not batch.member else Counted(batch, "done")
    return Consequences(after=_chain_ended(chain, "succeeded"), counted=done)


def _next(
    execution: "Execution", chain: Chain, batch: Membership | None, used: Group | None
) -> Consequences:
    sent = next_link(execution.site.app, chain, batch)
    after = () if used is None else ((chain.store, used),)
    follow, ahead = _apart(execution, [sent])
    return Consequences(follow, ahead, after=after)


def _over(
    execution: "Execution", verdict: Bury | Finish, chain: Chain | None, batch: Membership | None
) -> Consequences:
    failed = isinstance(verdict, Bury)
    cause = None
    sent: list[tuple[Connection, Message]] = []
    id = execution.delivery.message.id
    if isinstance(verdict, Bury):
        cause = Cause(id, execution.envelope.job, verdict.reason)
        if chain is not None:
            sent = callbacks(execution.site.app, chain.catch, chain.id, "catch", cause=cause)
    follow, ahead = _apart(execution, sent)
    counted = None
    if batch is not None and batch.member:
        counted = Counted(batch, "failed" if failed else "dropped", cause)
    after = _chain_ended(chain, "failed" if failed else "cancelled")
    return Consequences(follow, ahead, after=after, counted=counted)


def _chain_ended(
    chain: Chain | None, state: Literal["succeeded", "failed", "cancelled"]
) -> tuple[tuple[str, Group], ...]:
    if chain is None or not chain.store:
        return ()
    return ((chain.store, ended(chain.id, chain.place + 1 + len(chain.links), state)),)


def _apart(
    execution: "Execution", sent: "list[tuple[Connection, Message]]"
) -> "tuple[tuple[Message, ...], tuple[tuple[Connection, Message], ...]]":
    """Those that go with the outcome, and those that go ahead of it.

    One with a unique key goes ahead, because only the answer to a sending says that it is taken.
    """
    here = execution.site.connection
    can = here.driver.capabilities.follow
    queue = execution.delivery.message.queue
    follow: list[Message] = []
    ahead: list[tuple[Connection, Message]] = []
    for connection, message in sent:
        near = can == "atomic" or (can == "atomic_in_slot" and message.queue == queue)
        if connection is here and near and message.unique is None:
            follow.append(message)
        else:
            ahead.append((connection, message))
    return tuple(follow), tuple(ahead)
