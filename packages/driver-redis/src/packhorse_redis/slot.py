"""The names of keys, and the commands that begin with them."""

from collections.abc import Sequence

from packhorse_redis.connection import Arg
from packhorse_redis.scripts import Script

_KEPT = 1_000
"""Beginnings of commands that are remembered at most."""

Head = tuple[Arg, ...]


class Slot:
    """The keys of one connection: all have its name in braces, so that a Cluster keeps them together."""

    def __init__(self, prefix: str) -> None:
        self._prefix = f"{{{prefix}}}:"
        self._heads: dict[tuple[Script, tuple[str, ...]], Head] = {}

    def key(self, name: str, *more: str) -> bytes:
        """One key's name."""
        return (self._prefix + ":".join((name, *more))).encode()

    def channel(self, queue: str) -> bytes:
        """Where it is told that there is something to do on a queue."""
        return self.key("bell", queue)

    def head(self, script: Script, queues: Sequence[str] = ()) -> Head:
        """A call of a script on some queues, up to its arguments."""
        asked = script, tuple(queues)
        head = self._heads.get(asked)
        if head is None:
            keys = [self.key(name) for name in script.keys]
            keys += [self.key(name, queue) for queue in queues for name in script.each]
            head = (b"EVALSHA", script.sha, len(keys), *keys)
            if len(self._heads) >= _KEPT:
                self._heads.clear()
            self._heads[asked] = head
        return head
