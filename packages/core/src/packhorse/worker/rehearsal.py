"""What would become of a message if a worker took it now: asked of everything, and nothing is changed."""

import time
from typing import TYPE_CHECKING

from msgspec import Struct

from packhorse.context import Delete, Fail, Release
from packhorse.driver.message import Delivery, Listed
from packhorse.middleware.guard import is_guard
from packhorse.options import NOTHING
from packhorse.store.contract import Store
from packhorse.store.update import Told, Update
from packhorse.worker.attempt import Bury, Finish
from packhorse.worker.execution import Execution
from packhorse.worker.failure import text_of
from packhorse.worker.passage import Passage
from packhorse.worker.policy import Policies
from packhorse.worker.site import Site

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.definition import Definition
    from packhorse.wire.envelope import Envelope


class Barred(Struct, frozen=True):
    """Why a message would not start: it would be dropped, fail, or be put back for `delay` seconds."""

    how: str
    why: str
    delay: float = 0.0


def rehearse(
    app: "Packhorse",
    connection: "Connection",
    listed: Listed,
    envelope: "Envelope",
    definition: "Definition",
) -> Barred | None:
    """None: it would start. Options and guards of the job are called, its handler is not.

    Raises `ConnectionLost`, and `StoreRequired` where a guard's store is not configured here.
    """
    codecs, around = connection.known_codecs(), app.wiring.middleware
    site = Site("rehearsal", app, connection, Policies(NOTHING), codecs, around)
    delivery = Delivery(
        listed.message,
        b"",
        listed.deliveries + 1,
        time.time(),
        float("inf"),
        cancelled=listed.cancelled,
        superseded=listed.superseded,
    )
    execution = Execution(site, delivery, envelope, definition, time.monotonic())
    execution.open()
    verdict = execution.prepare()
    if isinstance(verdict, Finish):
        return Barred("dropped", verdict.result)
    if isinstance(verdict, Bury):
        return Barred("failed", verdict.reason)
    return _through_guards(app, connection, execution)


def _through_guards(
    app: "Packhorse", connection: "Connection", execution: Execution
) -> Barred | None:
    guards = tuple(filter(is_guard, execution.middleware()))
    passage = Passage(execution.context, guards, ())
    request = passage.start()
    while request is not None:
        request = passage.tell(
            _told(app.connection(request.store or connection.name).store, request)
        )
    through = passage.through
    error = passage.leave()
    wish = execution.context.wish
    if error is not None:
        return Barred("failed", f"its middleware raises {type(error).__name__}: {text_of(error)}")
    if isinstance(wish, Release):
        return Barred("put back", wish.why, wish.delay)
    if isinstance(wish, Fail):
        return Barred("failed", wish.reason)
    if isinstance(wish, Delete):
        return Barred("dropped", wish.why)
    return None if through else Barred("dropped", "a middleware skips it")


def _told(store: Store, request: Update) -> Told:
    """The answer to a request, of which nothing is written."""
    values = store.read(list(request.keys))
    try:
        change = request.change([one if isinstance(one, bytes) else None for one in values])
    except Exception as error:
        return Told(error=error)
    return Told(change.answer)
