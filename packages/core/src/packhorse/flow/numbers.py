"""How a batch stands and how it ended, as values."""

from typing import Literal

import msgspec
from msgspec import Struct

EndState = Literal["succeeded", "finished with failures", "cancelled"]
BatchState = Literal["running"] | EndState


class Numbers(Struct, frozen=True):
    """How a batch stands: of `total` members, how many have not ended, failed, or will never run.

    `finished_at` is in seconds since 1970, None while the batch runs.
    """

    total: int
    pending: int
    failed: int
    dropped: int
    state: BatchState
    cancelled: bool
    finished_at: float | None


class End(Struct, frozen=True):
    """How a batch ended, and when, in seconds since 1970; if any member failed, if it was cancelled."""

    state: EndState
    at: float
    failed: bool
    cancelled: bool


def end_state(cancelled: bool, failed: int, dropped: int) -> EndState:
    """What a batch that is over is called: it succeeded if every member is done.

    Members that were dropped one by one, cancelled or expired, leave it as cancelled as if it had
    been cancelled whole: not everything is done, and nothing failed.
    """
    if cancelled:
        return "cancelled"
    if failed:
        return "finished with failures"
    return "cancelled" if dropped else "succeeded"


write_end = msgspec.msgpack.Encoder().encode
read_end = msgspec.msgpack.Decoder(End).decode
