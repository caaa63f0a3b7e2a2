"""packhorse-redis as a plugin."""

import pytest

from packhorse.testing import PluginSuite

pytestmark = pytest.mark.backend("redis")


class TestRedis(PluginSuite):
    forbidden = ("hiredis", "ssl", "packhorse_redis.driver")

    @pytest.fixture
    def plugin(self) -> str:
        return "redis"
