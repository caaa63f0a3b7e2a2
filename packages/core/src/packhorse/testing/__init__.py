"""Door 3, the testing kit: needs `packhorse[testing]` and is never imported by the core."""

import pytest

# A failed assertion of a suite then shows both sides, in anybody's test run.
pytest.register_assert_rewrite(
    "packhorse.testing.plugin_suite",
    "packhorse.testing.promises",
    "packhorse.testing.suite",
    "packhorse.testing.store_suite",
)

from packhorse.testing.clock import ManualClock  # noqa: E402
from packhorse.testing.driver_suite import DriverSuite  # noqa: E402
from packhorse.testing.faults import FaultyDriver  # noqa: E402
from packhorse.testing.forwarding import ForwardingConsumer, ForwardingDriver  # noqa: E402
from packhorse.testing.plugin_suite import PluginSuite  # noqa: E402
from packhorse.testing.proxy import FaultProxy  # noqa: E402
from packhorse.testing.recorder import Recorder  # noqa: E402
from packhorse.testing.running import Running  # noqa: E402
from packhorse.testing.store_suite import StoreSuite  # noqa: E402
from packhorse.testing.waiting import eventually  # noqa: E402

__all__ = [
    "DriverSuite",
    "FaultProxy",
    "FaultyDriver",
    "ForwardingConsumer",
    "ForwardingDriver",
    "ManualClock",
    "PluginSuite",
    "Recorder",
    "Running",
    "StoreSuite",
    "eventually",
]
