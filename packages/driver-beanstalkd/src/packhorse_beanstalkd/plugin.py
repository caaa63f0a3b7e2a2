"""What this package offers: the driver of `beanstalkd://`."""

from packhorse.plugin import DriverSpec, hookimpl


@hookimpl
def packhorse_drivers() -> list[DriverSpec]:
    return [DriverSpec("beanstalkd", "packhorse_beanstalkd.driver:BeanstalkdDriver")]
