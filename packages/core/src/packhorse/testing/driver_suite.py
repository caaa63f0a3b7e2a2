"""The conformance suite for drivers: subclass it, give it a `driver` fixture, done.

    class TestMyDriver(DriverSuite):
        lease = 1.0

        @pytest.fixture
        def driver(self):
            driver = MyDriver.open(Url.parse("mine://"), DriverSetup(lease=self.lease))
            yield driver
            driver.close()

Each test is named after the promise that it proves and branches on nothing but the driver's
capabilities and abilities: what is declared is tested, what is not must be refused.
"""

from packhorse.testing.promises.buried import Burying
from packhorse.testing.promises.cancel import Cancelling
from packhorse.testing.promises.clear import Clearing
from packhorse.testing.promises.counting import Counting
from packhorse.testing.promises.crowds import Crowds
from packhorse.testing.promises.dead import DeadMessages
from packhorse.testing.promises.follow import Follow
from packhorse.testing.promises.groups import Groups
from packhorse.testing.promises.hostile import HostileInput
from packhorse.testing.promises.known_ids import KnownIds
from packhorse.testing.promises.leases import Leases
from packhorse.testing.promises.listing import Listing
from packhorse.testing.promises.order import Order
from packhorse.testing.promises.parked import Parked
from packhorse.testing.promises.pause import Pausing
from packhorse.testing.promises.replacing import Replacing
from packhorse.testing.promises.rescue import Rescuing
from packhorse.testing.promises.reserving import Reserving
from packhorse.testing.promises.rewriting import Rewritten
from packhorse.testing.promises.sending import Sending
from packhorse.testing.promises.settling import Settling
from packhorse.testing.promises.unique import UniqueKeys
from packhorse.testing.promises.wake import Waking


class DriverSuite(
    Sending,
    Reserving,
    Order,
    Settling,
    Leases,
    Follow,
    KnownIds,
    UniqueKeys,
    Replacing,
    Groups,
    Parked,
    DeadMessages,
    Burying,
    Listing,
    Cancelling,
    Pausing,
    Clearing,
    Rescuing,
    Rewritten,
    Waking,
    Counting,
    Crowds,
    HostileInput,
):
    """Every promise of the driver contract; `Stage` says what a subclass may set."""
