"""What this package offers: one driver, for `spool://` URLs."""

from packhorse.plugin import DriverSpec, hookimpl


@hookimpl
def packhorse_drivers() -> list[DriverSpec]:
    return [DriverSpec("spool", "packhorse_spool.driver:SpoolDriver", contract=1)]
