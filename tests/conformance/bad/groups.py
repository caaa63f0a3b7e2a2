"""Bad at groups: who is first, who holds them, and who leaves them."""

from collections.abc import Sequence
from typing import ClassVar, Literal
from uuid import UUID

from msgspec.structs import replace

from packhorse.driver.abilities import Cancels, Clears, KeepsDead, Lists
from packhorse.driver.message import Counts, Listed, Message, Sent, State
from packhorse.driver.outcome import Dead, Done, Outcome, Retry, Return
from packhorse.testing.promises.groups import Groups
from packhorse.testing.promises.parked import Parked
from tests.conformance.bad.driver import BadConsumer, BadDriver


class HasOneGroup(BadDriver):
    caught_by: ClassVar = {"test_groups_do_not_hold_one_another_up"}
    spoils: ClassVar = (Groups, Parked)

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return super().send(
            [each if each.group is None else replace(each, group="one") for each in messages]
        )


class FoldsGroups(BadDriver):
    caught_by: ClassVar = {"test_groups_do_not_hold_one_another_up"}

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return super().send(
            [
                each if each.group is None else replace(each, group=each.group.lower())
                for each in messages
            ]
        )


class GroupsTheUndelayed(BadDriver):
    """Believes that what is delayed holds nobody up."""

    caught_by: ClassVar = {"test_a_delayed_first_holds_its_group"}
    also: ClassVar = {
        "test_a_first_that_is_cancelled_lets_the_next_come_when_it_is_settled",
    }

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return super().send(
            [replace(each, group=None) if each.delay else each for each in messages]
        )


class RetriesBehindTheGroup(BadConsumer):
    """Sends a copy instead of holding the group."""

    caught_by: ClassVar = {"test_a_first_that_is_retried_holds_its_group"}

    def settled(self, outcome: Outcome) -> Outcome:
        message = outcome.delivery.message
        if isinstance(outcome, Retry) and message.group is not None:
            again = replace(message, body=outcome.body, delay=outcome.delay)
            return Done(outcome.delivery, [again])
        return outcome


class ReturnsBehindTheGroup(BadConsumer):
    caught_by: ClassVar = {"test_a_first_that_is_returned_or_rescued_holds_its_group"}

    def settled(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Return) and outcome.delivery.message.group is not None:
            return Done(outcome.delivery, [outcome.delivery.message])
        return outcome


class FollowsWithoutGroups(BadConsumer):
    caught_by: ClassVar = {"test_a_follow_up_goes_behind_its_parents_group"}

    def settled(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Done | Dead):
            follow = [replace(each, group=None) for each in outcome.follow]
            return replace(outcome, follow=follow)
        return outcome


class RevivesWithoutGroups(BadDriver):
    caught_by: ClassVar = {"test_a_revived_message_goes_behind_its_group"}

    def revive(self, messages: Sequence[Message]) -> list[Sent]:
        assert isinstance(self.driver, KeepsDead)
        return self.driver.revive([replace(each, group=None) for each in messages])


class CountsTheParkedAsReady(BadDriver):
    caught_by: ClassVar = {"test_parked_messages_are_counted_and_listed"}
    also: ClassVar = {
        "test_a_message_that_is_moved_where_it_is_stays_first",
        "test_a_parked_message_that_is_cancelled_leaves_its_group",
        "test_clearing_takes_the_parked_when_it_is_asked_to",
    }

    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        counts = super().counts(queue, cap)
        return replace(counts, ready=min(cap, counts.ready + counts.parked), parked=0)


class ListsTheParkedAsWaiting(BadDriver):
    caught_by: ClassVar = {"test_parked_messages_are_counted_and_listed"}

    def list(
        self, queue: str | None, state: State, limit: int, after: UUID | None = None
    ) -> list[Listed]:
        assert isinstance(self.driver, Lists)
        found = self.driver.list(queue, state, limit, after)
        return [
            replace(each, state="waiting") if each.state == "parked" else each for each in found
        ]


class CancelsNothingThatIsParked(BadDriver):
    caught_by: ClassVar = {"test_a_parked_message_that_is_cancelled_leaves_its_group"}

    def cancel(self, ids: Sequence[UUID]) -> list[Literal["marked", "leased", "gone"]]:
        assert isinstance(self.driver, Cancels)
        assert isinstance(self.driver, Lists)
        found = self.driver.get(ids)
        parked = {each.message.id for each in found if each and each.state == "parked"}
        answers = iter(self.driver.cancel([id for id in ids if id not in parked]))
        return ["marked" if id in parked else next(answers) for id in ids]


class ClearsAllButTheParked(BadDriver):
    caught_by: ClassVar = {"test_clearing_takes_the_parked_when_it_is_asked_to"}

    def clear(
        self, queue: str | None, state: State | None = None, older_than: float | None = None
    ) -> int:
        assert isinstance(self.driver, Clears)
        states: list[State] = ["leased", "delayed", "waiting"]
        chosen = states if state is None else [state]
        return sum(self.driver.clear(queue, each, older_than) for each in chosen)


class MovesOutOfGroups(BadDriver):
    """Moves what waits, but not what is parked."""

    caught_by: ClassVar = {"test_moved_messages_join_the_groups_that_are_there"}
    also: ClassVar = {
        "test_a_message_that_is_moved_where_it_is_stays_first",
    }

    def move(self, ids: Sequence[UUID], queue: str) -> int:
        assert isinstance(self.driver, Lists)
        found = zip(ids, self.driver.get(ids), strict=True)
        return self.driver.move(
            [id for id, each in found if each and each.state != "parked"], queue
        )


class ForgetsTheGroupOfSome(BadDriver):
    """Lets one of a hundred out of its group."""

    caught_by: ClassVar = {"test_many_consumers_never_hold_two_of_a_group_and_keep_its_order"}

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return super().send(
            [replace(each, group=None) if each.body.endswith(b"42") else each for each in messages]
        )
