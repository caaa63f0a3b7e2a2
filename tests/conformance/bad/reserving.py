"""Bad at reserving: limits, queues, tokens, and one message for two workers."""

from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import replace

from packhorse.driver.contract import Consumer
from packhorse.driver.message import Delivery, Renewed, Reserved
from packhorse.driver.outcome import Outcome, Return
from packhorse.testing import ForwardingDriver
from tests.conformance.bad.driver import BadConsumer


class ReservesByTheTen(BadConsumer):
    caught_by: ClassVar = {"test_a_reservation_keeps_to_its_limit"}

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        return super().reserve(queues, 10 if limit == 7 else limit, wait)


class FillsEachQueueToTheLimit(BadConsumer):
    caught_by: ClassVar = {"test_queues_are_filled_strictly_in_the_asked_order"}

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        if len(queues) < 3:
            return super().reserve(queues, limit, wait)
        each = [super(FillsEachQueueToTheLimit, self).reserve([q], limit, 0) for q in queues]
        return Reserved([delivery for part in each for delivery in part.deliveries])


class PrefersTheLastQueue(BadConsumer):
    caught_by: ClassVar = {
        "test_only_the_asked_queues_are_served",
        "test_queues_are_filled_strictly_in_the_asked_order",
    }

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        return super().reserve(queues[::-1], limit, wait)


class UsesTokensAgain(BadConsumer):
    """Gives the token of a returned message to the next one."""

    caught_by: ClassVar = {
        "test_a_token_is_never_used_twice",
        "test_renewing_answers_each_delivery_and_says_lost",
    }

    def __init__(self, driver: ForwardingDriver, consumer: Consumer) -> None:
        super().__init__(driver, consumer)
        self.free: list[bytes] = driver.__dict__.setdefault("free", [])
        self.real: dict[bytes, bytes] = driver.__dict__.setdefault("real", {})

    def shown(self, delivery: Delivery) -> Delivery:
        if not self.free:
            return delivery
        token = self.free.pop()
        self.real[token] = delivery.token
        return replace(delivery, token=token)

    def real_one(self, delivery: Delivery) -> Delivery:
        return replace(delivery, token=self.real.get(delivery.token, delivery.token))

    def settled(self, outcome: Outcome) -> Outcome:
        if type(outcome) is Return:
            self.free.append(outcome.delivery.token)
        return replace(outcome, delivery=self.real_one(outcome.delivery))

    def renew(self, deliveries: Sequence[Delivery]) -> list[Renewed]:
        return super().renew([self.real_one(each) for each in deliveries])


class PromisesTooMuchTime(BadConsumer):
    caught_by: ClassVar = {"test_next_due_never_promises_later_than_it_is"}

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        reserved = super().reserve(queues, limit, wait)
        return replace(reserved, next_due=reserved.next_due and reserved.next_due * 2)


class FlattersItsDeadline(BadConsumer):
    caught_by: ClassVar = {"test_a_delivery_says_what_it_is"}

    def shown(self, delivery: Delivery) -> Delivery:
        return replace(delivery, deadline=delivery.deadline + 1)


class HandsOutALeasedMessageTwice(BadConsumer):
    """Gives to a second worker what the first holds, once, when there is nothing else."""

    caught_by: ClassVar = {"test_a_leased_message_is_handed_to_nobody_else"}
    also: ClassVar = {
        "test_a_consumer_that_closes_leaves_its_leases_to_run_out",
        "test_a_first_whose_worker_died_comes_again_before_the_next",
        "test_a_lease_holds_until_the_deadline_it_was_given",
        "test_a_stale_parent_sends_no_follow_up",
        "test_a_stale_token_changes_nothing_and_says_gone",
        "test_one_of_a_group_is_leased_at_a_time_in_the_order_of_sending",
        "test_renewing_moves_the_end_of_the_lease",
        "test_settling_after_the_end_is_applied_or_gone_and_nothing_between",
    }

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        reserved = super().reserve(queues, limit, wait)
        if reserved.deliveries:
            self.driver.__dict__["holder"] = self
            return reserved
        holder = self.driver.__dict__.get("holder", self)
        if holder is self or len(self.current) != 1 or "given" in self.driver.__dict__:
            return reserved
        self.driver.__dict__["given"] = True
        return replace(reserved, deliveries=list(self.current.values()))


class HandsOutEveryHundredthTwice(BadConsumer):
    """As a broker does whose threads do not quite exclude one another."""

    caught_by: ClassVar = {
        "test_each_of_many_messages_goes_to_one_thread_once",
        "test_producers_and_consumers_at_once_lose_and_double_nothing",
        "test_many_messages_go_in_one_call",
    }
    also: ClassVar = {
        "test_many_consumers_never_hold_two_of_a_group_and_keep_its_order",
    }

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        reserved = super().reserve(queues, limit, wait)
        deliveries: list[Delivery] = []
        for delivery in reserved.deliveries:
            handed = self.driver.__dict__.setdefault("handed", [])
            handed.append(delivery)
            deliveries += [delivery] * (2 if len(handed) % 100 == 0 else 1)
        return replace(reserved, deliveries=deliveries)
