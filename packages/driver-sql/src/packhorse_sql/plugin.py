"""What this package offers: one driver and one store, under each scheme that it speaks."""

from packhorse.plugin import DriverSpec, StoreSpec, hookimpl

SCHEMES = ("sqlite",)


@hookimpl
def packhorse_drivers() -> list[DriverSpec]:
    return [DriverSpec(scheme, "packhorse_sql.driver:SqlDriver") for scheme in SCHEMES]


@hookimpl
def packhorse_stores() -> list[StoreSpec]:
    return [StoreSpec(scheme, "packhorse_sql.store:SqlStore") for scheme in SCHEMES]
