"""What follows from a verdict besides its outcome: the next link, callbacks, what a batch counts.

Messages that the broker can send in the settling's own transaction become its `follow`; the others
are sent ahead of it, under ids that stay known, so that a repeat is absorbed.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from msgspec import Struct

from packhorse.driver.abilities import Lists
from packhorse.driver.message import Delivery, Message
from packhorse.errors import PackhorseError
from packhorse.flow.chains import ChainState, ended, length_of, started, used
from packhorse.flow.ledger import How, spread
from packhorse.flow.link import KNOWN
from packhorse.flow.mark import done_with
from packhorse.flow.rest import RestOfChain
from packhorse.flow.step import callbacks, next_link, unfolded
from packhorse.store.contract import Group
from packhorse.wire.envelope import Body, Envelope
from packhorse.wire.flow import Cause, Chain, Membership
from packhorse.wire.seal import open_body
from packhorse.worker.attempt import Again, Bury, Finish, Verdict

if TYPE_CHECKING:
    from packhorse.connection import Connection
    from packhorse.worker.claims import Claimed
    from packhorse.worker.execution import Execution
    from packhorse.worker.site import Site

GOES_ON = frozenset({"done", "deleted", "skipped"})
"""Results with which a chain goes on."""


class Counted(Struct, frozen=True):
    """What a batch is to count: one of its members, and how that ended."""

    batch: Membership
    how: How
    cause: Cause | None = None


class Consequences(Struct, frozen=True):
    """What a settling brings along.

    `follow` goes with the outcome itself. `ahead` is sent, and `before` written, before the broker
    is told; `after` is written, and `counted` counted, once the broker has applied the outcome, or
    before where it cannot be asked whether it has.
    `freed` is written last before the broker is told, when what it cannot keep itself is kept, and
    `lost` where it knows no such reservation. `otherwise` holds instead if the unique key of what goes
    ahead is taken. Of an `orphan`, queue and id, nobody here can tell whether a store keeps a unique
    key for it. Stores are named by their connections.
    """

    follow: "tuple[Message, ...]" = ()
    ahead: "tuple[tuple[Connection, Message], ...]" = ()
    before: tuple[tuple[str, Group], ...] = ()
    after: tuple[tuple[str, Group], ...] = ()
    freed: tuple[tuple[str, Group], ...] = ()
    lost: tuple[tuple[str, Group], ...] = ()
    counted: Counted | None = None
    otherwise: "Consequences | None" = None
    orphan: tuple[str, UUID] | None = None


def consequences(execution: "Execution", verdict: Verdict) -> Consequences | None:
    """What follows; None for a job that stands alone, goes on, or was handed on to a batch.

    Raises what stands in the way of the next link: `PayloadTooLarge`, `ConfigError`, `PluginError`.
    """
    brought = _of_flow(execution, verdict)
    if execution.body is not None and execution.body.mark and isinstance(verdict, Finish):
        last = (execution.site.connection.name, done_with(execution.delivery.message.id, KNOWN))
        brought = brought or Consequences()
        brought = msgspec.structs.replace(brought, after=(*brought.after, last))
    if execution.body is None:
        return _orphan(execution.site.connection, execution.delivery)
    if execution.claimed is None:
        return brought
    return _with_key(brought or Consequences(), execution.claimed, verdict)


def unrun(
    site: "Site", delivery: Delivery, envelope: Envelope | None, verdict: Bury
) -> Consequences | None:
    """What a message that nobody here can run brings along at its end."""
    brought = _orphan(site.connection, delivery)
    if envelope is None:
        return brought
    if any(one.required and one.name not in envelope.enc for one in site.connection.codecs()):
        return brought  # whoever wrote it is not to have it say what is sent, and sealed, here
    try:
        body = open_body(envelope, site.codecs, Body)
        if body.chain is None and body.batch is None:
            return brought
        told = _over(site, delivery, envelope.job, verdict, body.chain, body.batch)
    except PackhorseError:  # what belongs to a batch is counted by a sweep
        return brought
    return told if brought is None else msgspec.structs.replace(told, orphan=brought.orphan)


def _orphan(connection: "Connection", delivery: Delivery) -> Consequences | None:
    """A message that cannot be opened may have a unique key."""
    if connection.driver.capabilities.unique:
        return None
    return Consequences(orphan=(delivery.message.queue, delivery.message.id))


def waiting_again(claimed: "Claimed | None") -> Consequences | None:
    """What a job that was not started brings along when it goes back."""
    return None if claimed is None else _with_key(Consequences(), claimed, Again(0.0, 0, 0))


def _with_key(brought: Consequences, claimed: "Claimed", verdict: Verdict) -> Consequences:
    if isinstance(verdict, Again):
        group, mine = claimed.wait(verdict.delay), claimed.let_go()
        after = () if group is None else ((claimed.store, group),)
        lost = () if mine is None else ((claimed.store, mine),)
        return msgspec.structs.replace(brought, after=(*brought.after, *after), lost=lost)
    group = claimed.end(verdict)
    freed = () if group is None else ((claimed.store, group),)
    return msgspec.structs.replace(brought, freed=freed)


def _of_flow(execution: "Execution", verdict: Verdict) -> Consequences | None:
    body = execution.body
    if isinstance(verdict, Again) or (body is None or (body.chain is None and body.batch is None)):
        return None
    if isinstance(verdict, Bury) or verdict.result not in GOES_ON:
        job, delivery = execution.envelope.job, execution.delivery
        return _over(execution.site, delivery, job, verdict, body.chain, body.batch)
    around = execution.context.surroundings
    if around is not None and around.handed_over:
        return None
    return _gone_on(execution, body.chain, body.batch, None if around is None else around.touched)


def _gone_on(
    execution: "Execution",
    chain: Chain | None,
    batch: Membership | None,
    touched: RestOfChain | None,
) -> Consequences:
    if chain is None:
        return Consequences(counted=_counted(batch, "done"))
    before: tuple[tuple[str, Group], ...] = ()
    changed = chain if touched is None else touched.changed()
    if touched is not None and changed is not chain:
        chain, before = _grown(changed, batch, touched.added.connections)
    after: tuple[tuple[str, Group], ...] = ()
    if not chain.links and chain.tail:
        settled = isinstance(execution.site.connection.driver, Lists)
        after = ((chain.store, used(chain, settled)),)
        chain = unfolded(chain, execution.portion)
    if not chain.links:
        before += _ended(chain, "succeeded")
        return Consequences(before=before, after=after, counted=_counted(batch, "done"))
    sent = next_link(execution.site.app, chain, batch)
    follow, ahead = _apart(execution.site.connection, execution.delivery, [sent])
    # With a settling that happens once it is sent once, so its id need not stay known.
    follow = tuple(msgspec.structs.replace(one, once=0.0) for one in follow)
    otherwise = None
    if ahead and sent[1].unique is not None:
        otherwise = Consequences(
            before=_ended(chain, "skipped"), after=after, counted=_counted(batch, "dropped")
        )
    return Consequences(follow, ahead, before, after, otherwise=otherwise)


def _grown(
    chain: Chain, batch: Membership | None, connections: Iterable[str]
) -> tuple[Chain, tuple[tuple[str, Group], ...]]:
    """A chain to which a job added links, and what is written so that they are found."""
    before = []
    if batch is not None and batch.member:
        if not chain.store:
            chain = msgspec.structs.replace(chain, store=batch.store)
        before.append((batch.store, spread(batch.id, connections)))
    if chain.store:
        before.append((chain.store, started(chain.id, length_of(chain))))
    return chain, tuple(before)


def _over(
    site: "Site",
    delivery: Delivery,
    job: str,
    verdict: Bury | Finish,
    chain: Chain | None,
    batch: Membership | None,
) -> Consequences:
    cause = None
    sent: list[tuple[Connection, Message]] = []
    if isinstance(verdict, Bury):
        cause = Cause(delivery.message.id, job, verdict.reason)
        if chain is not None:
            sent = callbacks(site.app, chain.catch, chain.id, "catch", cause=cause)
    follow, ahead = _apart(site.connection, delivery, sent)
    before = () if chain is None else _ended(chain, "cancelled" if cause is None else "failed")
    counted = _counted(batch, "dropped" if cause is None else "failed", cause)
    return Consequences(follow, ahead, before, counted=counted)


def _counted(batch: Membership | None, how: How, cause: Cause | None = None) -> Counted | None:
    return None if batch is None or not batch.member else Counted(batch, how, cause)


def _ended(chain: Chain, state: ChainState) -> tuple[tuple[str, Group], ...]:
    return ((chain.store, ended(chain, state)),) if chain.store else ()


def _apart(
    here: "Connection", delivery: Delivery, sent: "list[tuple[Connection, Message]]"
) -> "tuple[tuple[Message, ...], tuple[tuple[Connection, Message], ...]]":
    """Those that go with the outcome, and those that go ahead of it.

    One with a unique key goes ahead, because only the answer to a sending says that it is taken.
    """
    can, queue = here.driver.capabilities.follow, delivery.message.queue
    follow: list[Message] = []
    ahead: list[tuple[Connection, Message]] = []
    for connection, message in sent:
        near = can == "atomic" or (can == "atomic_in_slot" and message.queue == queue)
        if connection is here and near and message.unique is None:
            follow.append(message)
        else:
            ahead.append((connection, message))
    return tuple(follow), tuple(ahead)
