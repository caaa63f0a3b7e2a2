"""A process that only dispatches to Redis pays for nothing that it does not use."""

from tests.packaging.test_import_cost import DISPATCH, HEAVY, OTHER_ROOMS, found, modules_after
from tests.redis_server import RedisServer


def test_dispatching_to_redis(redis_server: RedisServer) -> None:
    modules = modules_after(DISPATCH.format(url=redis_server.url))
    assert "packhorse_redis.driver" in modules
    assert found(modules, *HEAVY, *OTHER_ROOMS, "redis", "ssl", "sqlalchemy") == []


def test_the_plugin_is_declared_without_its_client_library() -> None:
    modules = modules_after("import packhorse_redis.plugin")
    assert found(modules, *HEAVY, *OTHER_ROOMS, "packhorse_redis.driver", "hiredis") == []
