"""Cancelling: the broker marks a message, and the workers hear that they should ask about what they run."""

from contextlib import suppress
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from packhorse.driver.abilities import Cancels
from packhorse.errors import PackhorseError
from packhorse.store.contract import Group, Increment

if TYPE_CHECKING:
    from packhorse.connection import Connection

CANCELS = "cancels"
"""Where a store counts how often a job that runs was cancelled; workers ask when it has changed."""


def cancel(connection: "Connection", id: UUID) -> Literal["marked", "leased", "gone"]:
    """Cancels a message; see `Cancels`. Raises `Unsupported` if the broker cannot.

    A worker that holds it learns of it at the next renewal of the lease, or within about a second
    where the connection has a store.
    """
    answer = connection.able(Cancels, "cancel a message").cancel([id])[0]
    if answer == "leased":
        with suppress(PackhorseError):  # without a store, or with one that is away, it takes longer
            connection.store.apply([Group([Increment(CANCELS)], partition=CANCELS)])
    return answer
