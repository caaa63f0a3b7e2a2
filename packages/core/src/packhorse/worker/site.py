"""Where attempts happen: a worker on a connection, and what the app puts round each of them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from packhorse.events.bus import Bus
from packhorse.options import Middleware
from packhorse.wire.codec import Codec
from packhorse.worker.policy import Policies

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.worker.interruption import Interruption


class Site(Struct, frozen=True):
    """One worker's, or that of a process which runs jobs where they are sent.

    `may_report` raises `StoreRequired` where progress cannot be kept; `interruption` tells running jobs
    of the worker's end, where there is one.
    """

    worker: str
    app: "Packhorse"
    connection: "Connection"
    policies: Policies
    codecs: Mapping[str, Codec]
    middleware: tuple[Middleware, ...] = ()
    may_report: Callable[[], None] | None = None
    interruption: "Interruption | None" = None

    @property
    def bus(self) -> Bus:
        return self.app.bus
