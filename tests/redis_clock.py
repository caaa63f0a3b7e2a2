"""The clock of a Redis connection, set on by tests."""

import time

from tests.redis_server import RedisServer


class AheadClock:
    """This machine's clocks, the monotonic one set on together with the server's own.

    The server's is set on in the place where the driver keeps by how much it is ahead of TIME.
    """

    def __init__(self) -> None:
        self.server: RedisServer | None = None
        self._ahead = 0.0

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment, never backwards."""
        return time.monotonic() + self._ahead

    def advance(self, seconds: float) -> None:
        """Lets `seconds` pass, here and on the server."""
        assert self.server is not None
        self._ahead += seconds
        told = self.server.ask("HINCRBY", "{packhorse}:clock", "ahead", str(round(seconds * 1e6)))
        assert told is not None
        assert told.startswith(b":")
