"""The envelope, version 1: a message's body, one JSON document that any language can write.

In clear: what a worker must know before it opens anything. Inside `body`, and sealed with it when
a codec seals: everything else. `docs/wire-format.md` describes it, `tests/unit/wire/vectors.json`
has examples to test another implementation with.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal
from uuid import UUID

from msgspec import Meta, Raw, Struct

from packhorse.driver.message import Unique
from packhorse.wire.flow import Cause, Chain, Membership

VERSION: Final = 1

Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""A counter. A number that no worker counted is refused at reading: below 0 it would be worth more
tries, and above 64 bits it could not be written again."""


class Failure(Struct, frozen=True):
    """One attempt that ended in an exception or a time-out; `at` in seconds since 1970."""

    attempt: Count
    type: str
    message: str
    traceback: str
    at: float
    worker: str


class Claim(Struct, frozen=True, omit_defaults=True):
    """A unique key that no broker keeps for the message, but the store of the connection `store`."""

    store: str
    unique: Unique


class Body(Struct, frozen=True, omit_defaults=True):
    """What is inside a message. `args` is the arguments' JSON object, untouched until the job is known.

    `ser` names another serializer than JSON; `args` is then its bytes in base64. `overrides` are
    options set by `using` for this message only; `until` and `expires` are moments in seconds since
    1970; `context` travels from dispatcher to job. `chain` is what comes after this job, `batch` the
    batch that it belongs to, `cause` the failure for which a callback was sent. `mark` tells apart
    copies of what was sent more than once under one id. `unique` is there where a store keeps its
    unique key, because the broker cannot.
    """

    args: Raw
    ser: str = "json"
    overrides: Mapping[str, Raw] = {}
    until: float | None = None
    expires: float | None = None
    tags: tuple[str, ...] = ()
    context: Mapping[str, Raw] = {}
    chain: Chain | None = None
    batch: Membership | None = None
    cause: Cause | None = None
    mark: str = ""
    unique: Claim | None = None
    failures: tuple[Failure, ...] = ()


class Death(Struct, frozen=True, omit_defaults=True):
    """What is inside a dead message's record: why, where and when (seconds since 1970) it died."""

    reason: str
    connection: str
    queue: str
    worker: str
    failed_at: float
    failures: tuple[Failure, ...] = ()


class End(Struct, frozen=True, omit_defaults=True):
    """What is kept of a job that is over, for whoever waits for its result.

    `value` is what its handler returned, as the serializer `ser` writes it; `reason` and `failure`,
    the last one, are those of a job that failed.
    """

    how: Literal["done", "deleted", "skipped", "cancelled", "expired", "superseded", "failed"]
    at: float
    value: Raw = Raw(b"null")
    ser: str = "json"
    reason: str = ""
    failure: Failure | None = None


class Progress(Struct, frozen=True, omit_defaults=True):
    """How far a running job has come, as it says: `done` of `total`, in units of its own.

    `at` is when it said so, in seconds since 1970.
    """

    done: float
    total: float | None = None
    note: str = ""
    at: float = 0.0

    @property
    def fraction(self) -> float | None:
        """How much is done, from 0 to 1; None without a total."""
        return self.done / self.total if self.total else None


class Envelope(Struct, frozen=True):
    """What is in clear.

    `failed`, `lost` and `unknown` are banked counters; `enc` names what was done to the body,
    outermost last; empty, `body` is the JSON object itself, otherwise its bytes in base64.
    """

    v: int
    id: UUID
    job: str
    at: float
    body: Raw
    failed: Count = 0
    lost: Count = 0
    unknown: Count = 0
    enc: tuple[str, ...] = ()
