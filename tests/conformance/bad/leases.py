"""Bad at leases: too short, not renewed, not counted, not first in line."""

from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import replace

from packhorse.driver.contract import Consumer
from packhorse.driver.message import CANCELLED, LOST, Delivery, Renewed, Reserved
from packhorse.driver.outcome import Return
from packhorse.testing import ForwardingConsumer
from tests.conformance.bad.driver import BadConsumer, BadDriver


class PutsEndedLeasesAtTheTail(BadConsumer):
    caught_by: ClassVar = {
        "test_an_ended_lease_is_first_in_line_before_any_backlog",
        "test_ended_leases_come_back_in_their_old_order",
    }
    also: ClassVar = {
        "test_the_mark_outlives_a_lost_lease_and_a_retry",
    }

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        reserved = super().reserve(queues, limit, 0 if limit > 1 else wait)
        if not any(each.deliveries > 1 for each in reserved.deliveries) or len(queues) > 1:
            return reserved
        more = super().reserve(queues, 1_000, 0).deliveries
        line = sorted([*reserved.deliveries, *more], key=lambda each: each.deliveries > 1)
        self.consumer.settle([Return(each) for each in line[limit:]])
        return replace(reserved, deliveries=line[:limit])


class CountsNoDeliveries(BadConsumer):
    caught_by: ClassVar = {"test_each_delivery_counts_up"}
    also: ClassVar = {
        "test_a_paused_queue_gives_no_ended_lease_either",
        "test_a_renewed_lease_ends_too",
        "test_ended_leases_come_back_in_their_old_order",
        "test_only_the_blamed_count_their_delivery",
        "test_retry_starts_the_count_of_deliveries_again",
        "test_return_keeps_the_losses_before_it",
    }

    def shown(self, delivery: Delivery) -> Delivery:
        return replace(delivery, deliveries=1)


class RenewsOnlyInName(BadConsumer):
    caught_by: ClassVar = {"test_renewing_moves_the_end_of_the_lease"}
    also: ClassVar = {
        "test_a_forged_token_changes_nothing",
        "test_a_holder_learns_of_it_by_renewing_and_keeps_its_lease",
        "test_a_renewed_deadline_is_a_whole_lease_from_now",
        "test_renewing_answers_each_delivery_and_says_lost",
        "test_renewing_with_a_stale_token_does_not_hold_the_message",
    }

    def renew(self, deliveries: Sequence[Delivery]) -> list[Renewed]:
        return [each.deadline + 1.0 for each in deliveries]


class RenewsWhatIsLost(BadConsumer):
    caught_by: ClassVar = {
        "test_renewing_answers_each_delivery_and_says_lost",
        "test_renewing_with_a_stale_token_does_not_hold_the_message",
        "test_a_forged_token_changes_nothing",
    }

    def renew(self, deliveries: Sequence[Delivery]) -> list[Renewed]:
        pairs = zip(super().renew(deliveries), deliveries, strict=True)
        return [each.deadline if answer is LOST else answer for answer, each in pairs]


class KeepsCancellationsSecret(BadConsumer):
    caught_by: ClassVar = {"test_a_holder_learns_of_it_by_renewing_and_keeps_its_lease"}

    def renew(self, deliveries: Sequence[Delivery]) -> list[Renewed]:
        pairs = zip(super().renew(deliveries), deliveries, strict=True)
        return [each.deadline if answer is CANCELLED else answer for answer, each in pairs]


class ReturnsAllWhenItCloses(BadConsumer):
    caught_by: ClassVar = {"test_a_consumer_that_closes_leaves_its_leases_to_run_out"}

    def close(self) -> None:
        self.consumer.settle([Return(each) for each in self.current.values()])
        super().close()


class LetsGoTooSoon(BadDriver):
    caught_by: ClassVar = {"test_a_leased_message_is_handed_to_nobody_else"}
    also: ClassVar = {
        "test_a_lease_holds_until_the_deadline_it_was_given",
        "test_each_message_is_listed_in_its_state",
        "test_renewing_moves_the_end_of_the_lease",
    }
    lease: ClassVar = 14.0

    def consumer(self, worker: str) -> Consumer:
        return Believer(self, self.driver.consumer(worker))


class Believer(ForwardingConsumer):
    """Tells the lease that was asked for."""

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        reserved = super().reserve(queues, limit, wait)
        longer = [replace(each, deadline=each.deadline + 16) for each in reserved.deliveries]
        return replace(reserved, deliveries=longer)
