"""The servers that backends are tested on."""

from tests.redis_server import redis_server

__all__ = ["redis_server"]
