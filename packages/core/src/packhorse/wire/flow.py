"""What a body says of the jobs round this one: the rest of its chain, its batch, the failure behind it."""

from collections.abc import Mapping
from uuid import UUID

from msgspec import Raw, Struct

from packhorse.driver.message import Unique


class Link(Struct, frozen=True, omit_defaults=True):
    """One job that is to be sent later, whole.

    `delay`, `until` and `expires` are in seconds from its sending, `until_at` and `expires_at` moments in
    seconds since 1970; the rest is as in `Body` and `Message`.
    """

    job: str
    connection: str
    queue: str
    args: Raw
    ser: str = "json"
    overrides: Mapping[str, Raw] = {}
    codecs: tuple[str, ...] = ()
    delay: float | None = None
    until: float | None = None
    until_at: float | None = None
    expires: float | None = None
    expires_at: float | None = None
    tags: tuple[str, ...] = ()
    context: Mapping[str, Raw] = {}
    unique: Unique | None = None
    group: str | None = None


class Chain(Struct, frozen=True, omit_defaults=True):
    """What comes after a job.

    `place` is the job's own place in the chain, from 0; a link's id follows from the chain's id and
    its place. `links` come next, each a `Link`, unread until it is sent. `tail` counts the portions
    of links behind those, which lie in the store of the connection `store`: the next one is that of
    this number, the last is 1; `last` come behind them. `catch` is sent when a link fails for good. With a
    `store`, that connection keeps a record of the chain, by which it can be found and cancelled.
    """

    id: UUID
    place: int = 0
    links: tuple[Raw, ...] = ()
    catch: tuple[Raw, ...] = ()
    tail: int = 0
    last: tuple[Raw, ...] = ()
    store: str = ""


class Membership(Struct, frozen=True, omit_defaults=True):
    """Which batch a job belongs to, and which connection's store counts it.

    `member` is what the batch counts: the job's id, or that of the chain whose link it is and how
    long that is. A callback has none: it only finds its batch by this.
    """

    id: UUID
    store: str
    member: bytes = b""


class Cause(Struct, frozen=True):
    """The failure for which a callback was sent: which job failed for good, and why."""

    id: UUID
    job: str
    reason: str


class Portion(Struct, frozen=True):
    """Links of a long chain, as they lie in a store."""

    links: tuple[Raw, ...]


class Rest(Struct, frozen=True, omit_defaults=True):
    """What a batch goes on with when all of it is done: the chain of which it is a link."""

    chain: Chain | None = None
    batch: Membership | None = None


class Plan(Struct, frozen=True, omit_defaults=True):
    """What a batch is, as it lies in a store from its start to its end.

    `created` is in seconds since 1970; the callbacks are links, unread until they are sent.
    """

    name: str
    created: float
    allow_failures: bool = False
    then: tuple[Raw, ...] = ()
    catch: tuple[Raw, ...] = ()
    finally_: tuple[Raw, ...] = ()
    progress: tuple[Raw, ...] = ()
    rest: Rest | None = None
