"""What this package offers: one driver and one store, under each scheme that it speaks."""

from packhorse.plugin import DriverSpec, StoreSpec, hookimpl

SCHEMES = ("redis", "rediss", "unix")


@hookimpl
def packhorse_drivers() -> list[DriverSpec]:
    return [DriverSpec(scheme, "packhorse_redis.driver:RedisDriver") for scheme in SCHEMES]


@hookimpl
def packhorse_stores() -> list[StoreSpec]:
    return [StoreSpec(scheme, "packhorse_redis.store:RedisStore") for scheme in SCHEMES]
