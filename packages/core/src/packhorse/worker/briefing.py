"""What a job is told of itself: its context, out of a delivery that was opened."""

from typing import TYPE_CHECKING

from packhorse.context import JobContext
from packhorse.flow.surroundings import Surroundings

if TYPE_CHECKING:
    from packhorse.wire.envelope import Body
    from packhorse.worker.execution import Execution


def brief(execution: "Execution", body: "Body") -> JobContext:
    """The context of an execution whose arguments are decoded."""
    site, delivery, envelope = execution.site, execution.delivery, execution.envelope
    context = JobContext(
        delivery.message.id,
        envelope.job,
        delivery.message.queue,
        site.connection.name,
        envelope.failed + 1,
        delivery.deliveries,
        delivery.token,
        body.tags,
        site.worker,
        body.context,
        execution.arguments,
        delivery.reserved_at,
        execution.arrived,
        None if site.interruption is None else site.interruption.event,
    )
    context.may_report = site.may_report
    if envelope.enc:
        known = map(site.codecs.__getitem__, envelope.enc)
        context.masks = tuple(codec.hash_key for codec in known if codec.seals)
    if body.chain is not None or body.batch is not None or body.cause is not None:
        context.surroundings = Surroundings(site.app, site.connection, delivery.message.queue, body)
    return context
