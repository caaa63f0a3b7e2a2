"""Bad at sending: bodies, names, order, delays and known ids."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import uuid4

from msgspec.structs import replace

from packhorse.driver.message import Message, Sent
from packhorse.testing.promises.groups import Groups
from packhorse.testing.promises.parked import Parked
from packhorse.testing.promises.replacing import Replacing
from packhorse.testing.promises.unique import UniqueKeys
from tests.conformance.bad.driver import BadDriver


class LosesTheLastOfMany(BadDriver):
    caught_by: ClassVar = {"test_a_batch_is_stored_whole_and_answered_one_by_one"}
    also: ClassVar = {
        "test_many_messages_go_in_one_call",
        "test_what_is_sent_in_a_batch_comes_in_its_order",
    }

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        if len(messages) < 25:
            return super().send(messages)
        return [*super().send(messages[:-1]), Sent(messages[-1].id, "stored")]


class AnswersBeforeItSends(BadDriver):
    """Keeps single messages back until the next call."""

    caught_by: ClassVar = {"test_a_push_that_returned_is_on_the_broker"}

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        if [message.body for message in messages] == [b"hello"]:
            return [Sent(message.id, "stored") for message in messages]
        return super().send(messages)


class TextBodies(BadDriver):
    """Believes that a body is text."""

    caught_by: ClassVar = {
        "test_a_body_comes_back_byte_for_byte",
        "test_a_big_body_comes_back_whole",
        "test_a_dead_message_is_kept_with_its_record",
    }

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return super().send(
            [replace(each, body=each.body.decode(errors="replace").encode()) for each in messages]
        )


class CutsLongBodies(BadDriver):
    caught_by: ClassVar = {"test_a_big_body_comes_back_whole"}

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return super().send([replace(each, body=each.body[:65_535]) for each in messages])


class FoldsQueueNames(BadDriver):
    caught_by: ClassVar = {
        "test_a_queue_may_have_any_name",
        "test_names_that_look_alike_are_different_queues",
    }

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return super().send([replace(each, queue=each.queue.lower()) for each in messages])


class IgnoresUniqueKeys(BadDriver):
    caught_by: ClassVar = {"test_a_unique_key_is_kept_or_refused"}
    also: ClassVar = {
        "test_a_parked_message_that_is_superseded_leaves_its_group",
        "test_what_is_taken_or_known_joins_no_group",
    }
    spoils: ClassVar = (UniqueKeys, Replacing)

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return super().send([replace(each, unique=None) for each in messages])


class IgnoresGroups(BadDriver):
    caught_by: ClassVar = {"test_a_group_is_kept_or_refused"}
    spoils: ClassVar = (Groups, Parked)

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return super().send([replace(each, group=None) for each in messages])


class TakesBodiesAboveItsLimit(BadDriver):
    caught_by: ClassVar = {"test_a_body_above_the_limit_is_refused_and_leaves_nothing"}
    claims: ClassVar = {"max_body": 1_000}


class TakesDelaysAboveItsLimit(BadDriver):
    caught_by: ClassVar = {"test_a_delay_beyond_the_limit_is_refused_and_leaves_nothing"}
    claims: ClassVar = {"max_delay": 900.0}


class SwapsTheOrderOfBatches(BadDriver):
    caught_by: ClassVar = {"test_what_is_sent_in_a_batch_comes_in_its_order"}

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        if len(messages) == 30:
            super().send(messages[::-1])
            return [Sent(message.id, "stored") for message in messages]
        return super().send(messages)


class IgnoresDelays(BadDriver):
    caught_by: ClassVar = {
        "test_a_delayed_message_is_never_early_and_comes_when_due",
        "test_delayed_messages_come_in_the_order_of_falling_due",
        "test_what_fell_due_earlier_goes_before_what_was_sent_later",
    }
    also: ClassVar = {
        "test_a_delayed_first_holds_its_group",
        "test_a_wall_clock_that_is_set_back_holds_nothing_up",
        "test_delayed_messages_are_listed_soonest_first",
        "test_each_message_is_listed_in_its_state",
        "test_exact_counts_follow_every_state",
        "test_messages_are_found_by_id_in_every_state",
        "test_moved_messages_wait_on_another_queue_at_their_moment",
        "test_next_due_never_promises_later_than_it_is",
        "test_oldest_says_for_how_long_the_first_has_been_due",
        "test_only_the_asked_state_is_cleared",
        "test_the_next_comes_at_the_place_of_its_own_moment",
    }
    spoils: ClassVar = (Replacing,)

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return super().send([replace(each, delay=0.0) for each in messages])


class RoundsDelaysDown(BadDriver):
    caught_by: ClassVar = {"test_a_delay_is_rounded_up_never_down"}
    claims: ClassVar = {"delay_step": 1.0}

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return super().send([replace(each, delay=float(int(each.delay))) for each in messages])


class ForgetsKnownIds(BadDriver):
    caught_by: ClassVar = {
        "test_an_id_stays_known_for_once_seconds_after_the_message_is_gone",
        "test_once_outlives_a_retry",
    }
    also: ClassVar = {
        "test_a_known_id_is_known_whoever_holds_its_key",
    }

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return super().send([replace(each, once=0.0) for each in messages])


class KnowsIdsForEver(BadDriver):
    caught_by: ClassVar = {
        "test_an_id_is_not_known_when_its_time_is_over",
        "test_an_id_without_once_is_forgotten_with_its_message",
    }

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return super().send([replace(each, once=1e6) for each in messages])


class SaysKnownAndStoresAgain(BadDriver):
    caught_by: ClassVar = {
        "test_sending_a_live_message_again_changes_nothing",
        "test_a_repeat_in_one_batch_is_known",
        "test_a_repeat_for_another_queue_is_known",
        "test_an_id_stays_known_for_once_seconds_after_the_message_is_gone",
        "test_the_id_of_a_dead_message_is_known",
    }
    also: ClassVar = {
        "test_a_known_id_is_known_whoever_holds_its_key",
        "test_what_is_taken_or_known_joins_no_group",
    }

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        answers = super().send(messages)
        pairs = zip(answers, messages, strict=True)
        again = [replace(each, id=uuid4()) for answer, each in pairs if answer.state == "known"]
        super().send(again)
        return answers
