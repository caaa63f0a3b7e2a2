"""Whom a limit, a lock or a circuit is about: the name under which the store keeps it."""

import hashlib
from collections.abc import Callable

from packhorse.context import JobContext

By = str | Callable[[JobContext], object] | None
"""A text, or a function that makes one of a job's context (`lambda ctx: ctx.arguments["user_id"]`)."""

LONGEST = 120
"""Characters of a key that are kept as they are; a longer one is hashed, for no store takes all."""


def scope(kind: str, ctx: JobContext, by: By, shared: bool) -> str:
    """The store's key: of this job alone, or `shared` by all that give the same `by`."""
    said = by(ctx) if callable(by) else by
    owner = "" if shared else ctx.job
    key = f"{kind}:{owner}" if said is None else f"{kind}:{owner}:{ctx.masked(str(said))}"
    if len(key) > LONGEST:
        key = f"{kind}:#{hashlib.blake2b(key.encode(), digest_size=24).hexdigest()}"
    return key


def check(what: str, by: By, shared: bool) -> None:
    """Raises `ValueError` for what is shared but has no name."""
    if shared and by is None:
        raise ValueError(f"{what}: shared=True needs a key that says what is shared")
