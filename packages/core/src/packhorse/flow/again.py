"""What chains and batches are told when failed jobs of theirs are retried."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from uuid import UUID

from packhorse.flow.chains import restarted
from packhorse.flow.ledger import chain_of
from packhorse.flow.tally import Ended
from packhorse.wire.envelope import Body
from packhorse.wire.flow import Cause, Membership

if TYPE_CHECKING:
    from packhorse.app import Packhorse


def reopen(app: "Packhorse", bodies: Mapping[UUID, Body]) -> dict[UUID, Membership]:
    """Before jobs are revived: gives the members of batches among them, which are pending again."""
    by: dict[str, list[Membership]] = {}
    members: dict[UUID, Membership] = {}
    for id, body in bodies.items():
        if body.chain is not None and body.chain.store:
            app.connection(body.chain.store).store.apply([restarted(body.chain)])
        if body.batch is not None and body.batch.member:
            members[id] = body.batch
            by.setdefault(body.batch.store, []).append(body.batch)
    for name, some in by.items():
        app.batches.tally(name).reopen(some)
    return members


def fail_again(app: "Packhorse", members: Iterable[Membership]) -> None:
    """These were not revived after all."""
    for one in members:
        cause = Cause(chain_of(one.member), "", "it could not be retried")
        app.batches.tally(one.store).count({one.id: [Ended(one.member, "failed", cause)]})
