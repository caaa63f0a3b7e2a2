"""Bad at settling: tokens, outcomes, answers and follow-ups."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import uuid4

from msgspec.structs import replace

from packhorse.driver.message import Delivery
from packhorse.driver.outcome import Dead, Done, Outcome, Retry, Return, Settled
from packhorse.testing.promises.groups import Groups
from packhorse.testing.promises.parked import Parked
from packhorse.testing.promises.unique import UniqueKeys
from tests.conformance.bad.driver import BadConsumer


class KeepsWhatIsDone(BadConsumer):
    """Gives a message that is done back, one time."""

    caught_by: ClassVar = {"test_done_removes_the_message"}
    also: ClassVar = {
        "test_a_delayed_holder_is_due_at_once",
        "test_a_follow_up_whose_id_is_known_is_absorbed",
        "test_a_holder_learns_of_it_by_renewing_and_keeps_its_lease",
        "test_a_settled_message_leaves_the_others_alone",
        "test_an_id_is_not_known_when_its_time_is_over",
        "test_an_id_stays_known_for_once_seconds_after_the_message_is_gone",
        "test_an_id_without_once_is_forgotten_with_its_message",
        "test_exact_counts_follow_every_state",
        "test_many_messages_go_in_one_call",
        "test_one_outcome_that_is_gone_stops_no_other",
        "test_only_the_follow_ups_of_applied_parents_are_sent",
        "test_outcomes_of_every_kind_go_in_one_call",
        "test_queues_are_those_that_hold_a_message",
        "test_renewing_moves_the_end_of_the_lease",
        "test_settling_after_the_end_is_applied_or_gone_and_nothing_between",
        "test_what_comes_after_a_run_begins_another",
        "test_what_is_not_there_or_dead_cannot_be_cancelled",
        "test_with_a_delay_it_is_the_last_of_a_run_that_runs",
    }
    spoils: ClassVar = (UniqueKeys, Groups, Parked)

    def settled(self, outcome: Outcome) -> Outcome:
        seen = self.notes.setdefault(outcome.delivery.message.id, 0)
        self.notes[outcome.delivery.message.id] = seen + 1
        if type(outcome) is Done and not outcome.follow and not seen:
            return Return(outcome.delivery)
        return outcome


class SettlesBeforeItChecksTheToken(BadConsumer):
    caught_by: ClassVar = {"test_a_stale_token_changes_nothing_and_says_gone"}
    also: ClassVar = {
        "test_a_first_whose_worker_died_comes_again_before_the_next",
        "test_a_forged_token_changes_nothing",
        "test_a_stale_dead_leaves_nothing_among_the_dead",
        "test_a_stale_parent_sends_no_follow_up",
        "test_a_stale_token_frees_no_key",
        "test_a_stale_token_of_the_same_worker_says_gone",
        "test_a_token_settles_no_other_message",
    }

    def settled(self, outcome: Outcome) -> Outcome:
        current = self.current.get(outcome.delivery.message.id, outcome.delivery)
        return replace(outcome, delivery=current)


class SaysAppliedToAll(BadConsumer):
    caught_by: ClassVar = {"test_settling_twice_changes_nothing_and_says_gone"}
    also: ClassVar = {
        "test_a_first_whose_worker_died_comes_again_before_the_next",
        "test_a_forged_token_changes_nothing",
        "test_a_holder_of_a_cleared_message_has_nothing_to_settle",
        "test_a_stale_dead_leaves_nothing_among_the_dead",
        "test_a_stale_parent_sends_no_follow_up",
        "test_a_stale_token_changes_nothing_and_says_gone",
        "test_a_stale_token_frees_no_key",
        "test_a_stale_token_of_the_same_worker_says_gone",
        "test_a_token_settles_no_other_message",
        "test_one_outcome_that_is_gone_stops_no_other",
        "test_only_the_follow_ups_of_applied_parents_are_sent",
        "test_the_token_of_a_rescued_delivery_is_stale",
    }

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        return ["applied" for _ in super().settle(outcomes)]


class SettlesAllOrNone(BadConsumer):
    caught_by: ClassVar = {"test_one_outcome_that_is_gone_stops_no_other"}
    also: ClassVar = {
        "test_only_the_follow_ups_of_applied_parents_are_sent",
    }

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        settled = self.driver.__dict__.setdefault("settled", set())
        if any(each.delivery.token in settled for each in outcomes):
            return ["gone" for _ in outcomes]
        settled.update(each.delivery.token for each in outcomes)
        return super().settle(outcomes)


class AnswersInAnyOrder(BadConsumer):
    caught_by: ClassVar = {"test_a_stale_token_of_the_same_worker_says_gone"}
    also: ClassVar = {
        "test_one_outcome_that_is_gone_stops_no_other",
        "test_only_the_follow_ups_of_applied_parents_are_sent",
    }

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        return sorted(super().settle(outcomes))


class CountsReturns(BadConsumer):
    caught_by: ClassVar = {
        "test_return_does_not_count_the_delivery",
        "test_return_keeps_the_losses_before_it",
    }

    def settled(self, outcome: Outcome) -> Outcome:
        if type(outcome) is Return:
            id = outcome.delivery.message.id
            self.notes[id] = self.notes.get(id, 0) + 1
        return outcome

    def shown(self, delivery: Delivery) -> Delivery:
        counted = delivery.deliveries + self.notes.get(delivery.message.id, 0)
        return replace(delivery, deliveries=counted)


class ReturnsBehindTheOthers(BadConsumer):
    caught_by: ClassVar = {
        "test_return_finds_its_old_place",
        "test_return_keeps_the_losses_before_it",
    }
    also: ClassVar = {
        "test_an_ended_lease_is_first_in_line_before_any_backlog",
    }

    def settled(self, outcome: Outcome) -> Outcome:
        if type(outcome) is Return:
            return Retry(outcome.delivery, 0, outcome.delivery.message.body)
        return outcome


class KeepsTheOldBody(BadConsumer):
    caught_by: ClassVar = {"test_retry_writes_a_new_body"}
    also: ClassVar = {
        "test_a_first_that_is_retried_holds_its_group",
        "test_a_retried_holder_is_replaced",
        "test_retry_goes_behind_what_is_due",
    }

    def settled(self, outcome: Outcome) -> Outcome:
        if type(outcome) is Retry:
            return replace(outcome, body=outcome.delivery.message.body)
        return outcome


class RetriesAtOnce(BadConsumer):
    caught_by: ClassVar = {"test_retry_waits_for_its_delay"}
    also: ClassVar = {
        "test_a_first_that_is_retried_holds_its_group",
    }

    def settled(self, outcome: Outcome) -> Outcome:
        return replace(outcome, delay=0.0) if type(outcome) is Retry else outcome


class NeverStartsTheCountAgain(BadConsumer):
    caught_by: ClassVar = {"test_retry_starts_the_count_of_deliveries_again"}

    def settled(self, outcome: Outcome) -> Outcome:
        if type(outcome) is Retry:
            self.notes[outcome.delivery.message.id] = outcome.delivery.deliveries
        return outcome

    def shown(self, delivery: Delivery) -> Delivery:
        counted = delivery.deliveries + self.notes.get(delivery.message.id, 0)
        return replace(delivery, deliveries=counted)


class LosesTheRecordOfTheDead(BadConsumer):
    caught_by: ClassVar = {"test_a_dead_message_is_kept_with_its_record"}
    also: ClassVar = {"test_a_dead_one_gets_its_record_too"}

    def settled(self, outcome: Outcome) -> Outcome:
        return replace(outcome, record=b"") if type(outcome) is Dead else outcome


class SendsFollowUpsOfStaleParents(BadConsumer):
    caught_by: ClassVar = {
        "test_a_stale_parent_sends_no_follow_up",
        "test_only_the_follow_ups_of_applied_parents_are_sent",
        "test_a_holder_of_a_cleared_message_has_nothing_to_settle",
    }

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        answers = super().settle(outcomes)
        for answer, outcome in zip(answers, outcomes, strict=True):
            if answer == "gone" and isinstance(outcome, Done | Dead):
                self.driver.send(outcome.follow)
        return answers


class ForgetsFollowUps(BadConsumer):
    caught_by: ClassVar = {"test_a_follow_up_is_sent_with_its_parent_or_refused"}
    also: ClassVar = {
        "test_a_follow_up_goes_behind_its_parents_group",
        "test_a_follow_up_has_its_own_delay",
        "test_a_follow_up_may_go_to_another_queue",
        "test_a_follow_up_may_have_the_key_of_its_parent",
        "test_a_follow_up_whose_id_is_known_is_absorbed",
        "test_a_follow_up_whose_key_is_taken_is_absorbed",
        "test_a_stale_parent_sends_no_follow_up",
        "test_only_the_follow_ups_of_applied_parents_are_sent",
    }

    def settled(self, outcome: Outcome) -> Outcome:
        return replace(outcome, follow=()) if isinstance(outcome, Done | Dead) else outcome


class SendsKnownFollowUpsAgain(BadConsumer):
    caught_by: ClassVar = {"test_a_follow_up_whose_id_is_known_is_absorbed"}
    also: ClassVar = {
        "test_a_follow_up_may_have_the_key_of_its_parent",
    }

    def settled(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Done | Dead):
            return replace(outcome, follow=[replace(each, id=uuid4()) for each in outcome.follow])
        return outcome
