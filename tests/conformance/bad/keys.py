"""Bad at unique keys: who holds one, for how long, and who takes whose place."""

import time
from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from msgspec.structs import replace

from packhorse.driver.abilities import KeepsDead, Lists
from packhorse.driver.message import Delivery, Listed, Message, Sent, State, Unique
from packhorse.driver.outcome import Dead, Done, Outcome
from packhorse.testing.promises.replacing import Replacing
from packhorse.testing.promises.stage import QUEUE
from packhorse.testing.promises.unique import UniqueKeys
from tests.conformance.bad.driver import BadConsumer, BadDriver


class ChangesKeys(BadDriver):
    """Sends messages with other keys than it was given."""

    def changed(self, unique: Unique) -> Unique:
        raise NotImplementedError

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return super().send(
            [
                each if each.unique is None else replace(each, unique=self.changed(each.unique))
                for each in messages
            ]
        )


class FoldsKeys(ChangesKeys):
    caught_by: ClassVar = {"test_a_key_is_one_of_its_queue"}

    def changed(self, unique: Unique) -> Unique:
        return replace(unique, key=unique.key.lower())


class FreesKeysAtTheFirstReservation(ChangesKeys):
    caught_by: ClassVar = {"test_a_live_message_holds_its_key"}
    spoils: ClassVar = (UniqueKeys, Replacing)

    def changed(self, unique: Unique) -> Unique:
        return replace(unique, until="reserved")


class KeepsKeysOfTheReserved(ChangesKeys):
    caught_by: ClassVar = {"test_the_first_reservation_frees_a_key_until_reserved"}
    also: ClassVar = {
        "test_a_window_holds_a_key_until_reserved",
    }

    def changed(self, unique: Unique) -> Unique:
        return replace(unique, until="done")


class IgnoresWindows(ChangesKeys):
    caught_by: ClassVar = {
        "test_a_window_holds_the_key_after_the_message_is_gone",
        "test_a_window_holds_a_key_until_reserved",
    }
    also: ClassVar = {
        "test_a_dead_message_is_listed_with_its_key_and_takes_it_anew",
    }

    def changed(self, unique: Unique) -> Unique:
        return replace(unique, window=0.0)


class NeverFreesAKey(ChangesKeys):
    caught_by: ClassVar = {
        "test_done_frees_the_key",
        "test_dead_frees_the_key",
        "test_what_is_cleared_frees_its_key",
    }
    also: ClassVar = {
        "test_a_superseded_message_is_listed_as_such",
        "test_a_superseded_message_that_is_cleared_frees_nothing",
        "test_what_comes_after_a_run_begins_another",
    }
    spoils: ClassVar = (UniqueKeys,)

    def changed(self, unique: Unique) -> Unique:
        return replace(unique, window=1e6)


class CountsWindowsFromTheEnd(ChangesKeys):
    caught_by: ClassVar = {"test_a_window_holds_the_key_after_the_message_is_gone"}
    also: ClassVar = {
        "test_a_dead_message_is_listed_with_its_key_and_takes_it_anew",
        "test_a_window_holds_a_key_until_reserved",
    }

    def changed(self, unique: Unique) -> Unique:
        return replace(unique, window=unique.window * 1.5)


class NeverReplaces(ChangesKeys):
    caught_by: ClassVar = {"test_a_holder_that_waits_is_superseded"}
    also: ClassVar = {
        "test_a_parked_message_that_is_superseded_leaves_its_group",
    }
    spoils: ClassVar = (Replacing,)

    def changed(self, unique: Unique) -> Unique:
        return replace(unique, on_taken="keep")


class AlwaysReplaces(ChangesKeys):
    caught_by: ClassVar = {"test_a_live_message_holds_its_key"}
    also: ClassVar = {
        "test_a_unique_key_is_kept_or_refused",
        "test_what_is_taken_or_known_joins_no_group",
    }
    spoils: ClassVar = (UniqueKeys, Replacing)

    def changed(self, unique: Unique) -> Unique:
        return replace(unique, on_taken="replace")


class WaitsForEver(ChangesKeys):
    caught_by: ClassVar = {"test_a_run_waits_no_longer_than_it_may"}
    also: ClassVar = {
        "test_a_run_that_is_overdue_is_due_now",
    }

    def changed(self, unique: Unique) -> Unique:
        return replace(unique, max_wait=None)


class NamesNoHolder(BadDriver):
    caught_by: ClassVar = {"test_a_live_message_holds_its_key"}
    also: ClassVar = {
        "test_a_unique_key_is_kept_or_refused",
    }
    spoils: ClassVar = (UniqueKeys, Replacing)

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return [replace(answer, holder=None) for answer in super().send(messages)]


class SaysTakenToAKnownId(BadDriver):
    caught_by: ClassVar = {"test_a_known_id_is_known_whoever_holds_its_key"}
    also: ClassVar = {
        "test_in_a_batch_the_first_gets_the_key",
    }

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        answers = super().send(messages)
        return [
            Sent(answer.id, "taken", answer.id)
            if answer.state == "known" and each.unique
            else answer
            for answer, each in zip(answers, messages, strict=True)
        ]


class TakesAndSaysTaken(BadDriver):
    """Stores what it says it has not."""

    caught_by: ClassVar = {"test_what_is_taken_leaves_nothing"}
    also: ClassVar = {
        "test_a_delayed_holder_is_due_at_once",
        "test_a_superseded_message_that_is_cleared_frees_nothing",
        "test_a_unique_key_is_kept_or_refused",
        "test_in_a_batch_the_first_gets_the_key",
        "test_what_is_taken_or_known_joins_no_group",
    }

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        answers = super().send(messages)
        pairs = zip(answers, messages, strict=True)
        super().send(
            [replace(each, unique=None) for answer, each in pairs if answer.state == "taken"]
        )
        return answers


class LooksThenSends(BadDriver):
    """Decides outside of the send who gets a key, so that two senders both do."""

    caught_by: ClassVar = {"test_of_many_threads_with_one_key_one_stores"}

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        if [each.unique and each.unique.key for each in messages] != ["key", "two"]:
            return super().send(messages)
        free = self.counts(QUEUE).ready == 0
        time.sleep(0.001)
        return super().send([replace(each, unique=None) for each in messages] if free else messages)


class HidesWhoIsSuperseded(BadConsumer):
    caught_by: ClassVar = {"test_a_holder_that_waits_is_superseded"}
    also: ClassVar = {
        "test_a_parked_message_that_is_superseded_leaves_its_group",
    }
    spoils: ClassVar = (Replacing,)

    def shown(self, delivery: Delivery) -> Delivery:
        return replace(delivery, superseded=False)


class TakesTheSupersededForCancelled(BadConsumer):
    caught_by: ClassVar = {"test_a_holder_that_waits_is_superseded"}
    also: ClassVar = {
        "test_a_parked_message_that_is_superseded_leaves_its_group",
    }
    spoils: ClassVar = (Replacing,)

    def shown(self, delivery: Delivery) -> Delivery:
        ended = delivery.cancelled or delivery.superseded
        return replace(delivery, cancelled=ended, superseded=False)


class FollowsWithoutKeys(BadConsumer):
    caught_by: ClassVar = {"test_a_follow_up_whose_key_is_taken_is_absorbed"}
    also: ClassVar = {
        "test_a_follow_up_may_have_the_key_of_its_parent",
    }

    def settled(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Done | Dead):
            follow = [replace(each, unique=None) for each in outcome.follow]
            return replace(outcome, follow=follow)
        return outcome


class RevivesWithoutKeys(BadDriver):
    caught_by: ClassVar = {"test_a_message_whose_key_is_taken_stays_dead"}

    def revive(self, messages: Sequence[Message]) -> list[Sent]:
        assert isinstance(self.driver, KeepsDead)
        return self.driver.revive([replace(each, unique=None) for each in messages])


class ListsWithoutKeys(BadDriver):
    caught_by: ClassVar = {"test_a_dead_message_is_listed_with_its_key_and_takes_it_anew"}

    def list(
        self, queue: str | None, state: State, limit: int, after: UUID | None = None
    ) -> list[Listed]:
        assert isinstance(self.driver, Lists)
        found = self.driver.list(queue, state, limit, after)
        return [replace(each, message=replace(each.message, unique=None)) for each in found]


class ReplacesTheCancelled(BadDriver):
    caught_by: ClassVar = {"test_a_cancelled_holder_is_not_replaced"}
    also: ClassVar = {
        "test_a_cancelled_message_holds_its_key_until_it_is_settled",
    }

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return [self.replacing(each) for each in messages]

    def replacing(self, message: Message) -> Sent:
        (answer,) = self.driver.send([message])
        if answer.holder is None or message.unique is None or message.unique.on_taken == "keep":
            return answer
        assert isinstance(self.driver, Lists)
        (holder,) = self.driver.get([answer.holder])
        if holder is None or not holder.cancelled:
            return answer
        self.driver.send([replace(message, unique=None)])
        return Sent(message.id, "stored", superseded=answer.holder)
