"""Bad at waking, closing and odd tokens."""

import threading
from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from msgspec.structs import replace

from packhorse.driver.contract import Consumer
from packhorse.driver.message import Delivery, Reserved
from packhorse.driver.outcome import Outcome
from packhorse.testing import ForwardingDriver
from tests.conformance.bad.driver import BadConsumer


class DropsWakes(BadConsumer):
    caught_by: ClassVar = {"test_wake_ends_a_waiting_reservation"}
    also: ClassVar = {
        "test_a_settlement_goes_through_while_a_reservation_waits",
        "test_a_wake_that_comes_first_is_not_lost",
        "test_one_message_reaches_only_one_of_two_that_wait",
        "test_one_wake_ends_one_wait",
    }

    def wake(self) -> None:
        pass


class ForgetsEarlyWakes(BadConsumer):
    caught_by: ClassVar = {
        "test_a_wake_that_comes_first_is_not_lost",
        "test_one_wake_ends_one_wait",
    }
    waiting = False

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        self.waiting = True
        try:
            return super().reserve(queues, limit, wait)
        finally:
            self.waiting = False

    def wake(self) -> None:
        if self.waiting:
            super().wake()


class SleepsThroughPushes(BadConsumer):
    """Looks once, then sleeps until it is woken or its wait is over."""

    caught_by: ClassVar = {
        "test_a_push_reaches_a_reservation_that_waits",
        "test_one_wake_ends_one_wait",
    }
    also: ClassVar = {
        "test_a_delayed_message_reaches_a_reservation_that_waits",
        "test_resuming_reaches_a_reservation_that_waits",
    }

    def __init__(self, driver: ForwardingDriver, consumer: Consumer) -> None:
        super().__init__(driver, consumer)
        self.woken = threading.Event()

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        reserved = super().reserve(queues, limit, 0)
        if reserved.deliveries or not wait:
            return reserved
        self.woken.wait(wait)
        self.woken.clear()
        return super().reserve(queues, limit, 0)

    def wake(self) -> None:
        self.woken.set()

    def close(self) -> None:
        self.woken.set()
        super().close()


class HangsWhenClosed(BadConsumer):
    caught_by: ClassVar = {"test_nothing_hangs_after_the_driver_was_closed"}

    def close(self) -> None:
        pass


class CrashesOnOddTokens(BadConsumer):
    caught_by: ClassVar = {"test_a_forged_token_changes_nothing"}

    def settled(self, outcome: Outcome) -> Outcome:
        if len(outcome.delivery.token) != 8:
            raise ValueError("a token has 8 bytes")
        return outcome


class ForgetsWhoseTokenItIs(BadConsumer):
    """Takes any token that was ever handed out for the message that comes with it."""

    caught_by: ClassVar = {"test_a_token_settles_no_other_message"}

    def __init__(self, driver: ForwardingDriver, consumer: Consumer) -> None:
        super().__init__(driver, consumer)
        self.owners: dict[bytes, UUID] = driver.__dict__.setdefault("owners", {})

    def shown(self, delivery: Delivery) -> Delivery:
        self.owners[delivery.token] = delivery.message.id
        return delivery

    def settled(self, outcome: Outcome) -> Outcome:
        id = outcome.delivery.message.id
        if self.owners.get(outcome.delivery.token, id) != id:
            return replace(outcome, delivery=self.current[id])
        return outcome
