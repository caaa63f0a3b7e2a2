"""What the core itself offers, declared through the same hooks as everybody's."""

from packhorse.plugin.hookspecs import hookimpl
from packhorse.plugin.specs import DriverSpec, SerializerSpec, StoreSpec


@hookimpl
def packhorse_drivers() -> list[DriverSpec]:
    return [
        DriverSpec("memory", "packhorse.driver.memory:MemoryDriver"),
        DriverSpec("sync", "packhorse.driver.sync:SyncDriver"),
        DriverSpec("deferred", "packhorse.driver.deferred:DeferredDriver"),
        DriverSpec("background", "packhorse.driver.background:BackgroundDriver"),
        DriverSpec("null", "packhorse.driver.null:NullDriver"),
        DriverSpec("failover", "packhorse.driver.failover:FailoverDriver"),
    ]


@hookimpl
def packhorse_stores() -> list[StoreSpec]:
    return [StoreSpec("memory", "packhorse.store.memory:MemoryStore")]


@hookimpl
def packhorse_serializers() -> list[SerializerSpec]:
    return [SerializerSpec("json", "packhorse.wire.serializer:JsonSerializer")]
