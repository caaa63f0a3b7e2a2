"""Makes executions as a worker does, one step at a time."""

import time
from collections.abc import Mapping
from typing import Any

from packhorse import Packhorse, Pending, registry
from packhorse.dispatch import message_for
from packhorse.driver.message import Delivery, Message
from packhorse.options import NOTHING
from packhorse.wire.codec import Codec
from packhorse.wire.seal import open_envelope
from packhorse.worker.execution import Execution
from packhorse.worker.policy import Policies
from packhorse.worker.site import Site


def site(app: Packhorse, codecs: Mapping[str, Codec] | None = None) -> Site:
    connection = app.connection()
    known = connection.known_codecs() if codecs is None else codecs
    return Site("barn-1", app, connection, Policies(NOTHING), known)


def delivered(message: Message, deliveries: int = 1, cancelled: bool = False) -> Delivery:
    deadline = time.monotonic() + 30.0
    return Delivery(message, b"token", deliveries, time.time(), deadline, cancelled=cancelled)


def execution(
    app: Packhorse, job: Pending[Any] | Message, deliveries: int = 1, cancelled: bool = False
) -> Execution:
    """An execution of a job that would be pushed now, opened and not prepared yet."""
    message = job if isinstance(job, Message) else message_for(job, app.connection())
    envelope = open_envelope(message.body)
    definition = registry.find(envelope.job)
    assert definition is not None
    one = Execution(site(app), delivered(message, deliveries, cancelled), envelope, definition)
    one.open()
    return one
