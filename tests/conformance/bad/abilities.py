"""Bad at looking, counting, cancelling, pausing, clearing, reviving and rescuing."""

from collections.abc import Collection, Sequence
from typing import ClassVar, Literal
from uuid import UUID

from msgspec.structs import replace

from packhorse.driver.abilities import Buries, Clears, KeepsDead, Lists, Pauses, Rescues
from packhorse.driver.contract import Consumer
from packhorse.driver.message import Counts, Listed, Message, Sent, State
from packhorse.testing.promises.cancel import Cancelling
from packhorse.testing.promises.groups import Groups
from packhorse.testing.promises.parked import Parked
from tests.conformance.bad.driver import BadDriver


class CountsTheLeasedTwice(BadDriver):
    caught_by: ClassVar = {"test_counts_are_numbers_of_that_queue"}
    also: ClassVar = {
        "test_a_forged_token_changes_nothing",
        "test_a_parked_message_that_is_cancelled_leaves_its_group",
        "test_a_settled_message_leaves_the_others_alone",
        "test_a_stale_token_changes_nothing_and_says_gone",
        "test_counts_stop_at_the_cap_and_say_so",
        "test_exact_counts_follow_every_state",
        "test_only_the_asked_state_is_cleared",
        "test_parked_messages_are_counted_and_listed",
    }

    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        counts = super().counts(queue, cap)
        return replace(counts, ready=min(cap, counts.ready + counts.reserved))


class CountsWithoutCap(BadDriver):
    caught_by: ClassVar = {"test_counts_stop_at_the_cap_and_say_so"}
    also: ClassVar = {
        "test_parked_messages_are_counted_and_listed",
    }

    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        return super().counts(queue)


class CountsAllQueues(BadDriver):
    caught_by: ClassVar = {"test_counts_are_numbers_of_that_queue"}
    also: ClassVar = {
        "test_a_cleared_queue_is_empty_and_others_are_not",
        "test_only_the_asked_state_is_cleared",
        "test_what_is_not_there_is_no_error",
    }
    spoils: ClassVar = (Groups, Parked)

    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        assert isinstance(self, Lists)
        each = [super(CountsAllQueues, self).counts(name, cap) for name in self.queues()]
        return Counts(
            sum(counts.ready for counts in each),
            sum(counts.delayed for counts in each),
            sum(counts.reserved for counts in each),
            any(counts.capped for counts in each),
        )


class ListsNoPages(BadDriver):
    caught_by: ClassVar = {"test_pages_have_every_message_once_and_in_order"}
    also: ClassVar = {
        "test_dead_messages_are_listed_newest_first",
        "test_delayed_messages_are_listed_soonest_first",
        "test_parked_messages_are_counted_and_listed",
    }

    def list(
        self, queue: str | None, state: State, limit: int, after: UUID | None = None
    ) -> Sequence[Listed]:
        assert isinstance(self.driver, Lists)
        return self.driver.list(queue, state, limit)


class CancelsOnlyInName(BadDriver):
    caught_by: ClassVar = {"test_a_waiting_message_is_handed_out_as_cancelled"}
    also: ClassVar = {
        "test_a_cancelled_holder_is_not_replaced",
        "test_a_cancelled_message_holds_its_key_until_it_is_settled",
        "test_a_delayed_message_that_is_cancelled_is_due_at_once",
        "test_a_first_that_is_cancelled_lets_the_next_come_when_it_is_settled",
        "test_a_holder_learns_of_it_by_renewing_and_keeps_its_lease",
        "test_a_parked_message_that_is_cancelled_leaves_its_group",
        "test_the_mark_outlives_a_lost_lease",
    }

    def cancel(self, ids: Sequence[UUID]) -> list[Literal["marked", "leased", "gone"]]:
        assert isinstance(self.driver, Lists)
        found = self.driver.get(ids)
        return ["marked" if each and each.state == "waiting" else "gone" for each in found]


class PausesOnlyInName(BadDriver):
    caught_by: ClassVar = {"test_a_paused_queue_gives_nothing_and_says_so"}
    also: ClassVar = {
        "test_a_pause_for_a_time_ends_by_itself",
        "test_a_paused_queue_gives_no_ended_lease_either",
        "test_the_last_pause_counts",
    }

    def pause(self, queue: str, for_: float | None = None) -> None:
        pass


class PausesForEver(BadDriver):
    caught_by: ClassVar = {"test_a_pause_for_a_time_ends_by_itself"}

    def pause(self, queue: str, for_: float | None = None) -> None:
        assert isinstance(self.driver, Pauses)
        self.driver.pause(queue)


class ClearsTheDeadToo(BadDriver):
    caught_by: ClassVar = {"test_clearing_all_queues_spares_the_dead"}

    def clear(
        self, queue: str | None, state: State | None = None, older_than: float | None = None
    ) -> int:
        assert isinstance(self.driver, Clears)
        if state is None:
            self.driver.clear(queue, "dead")
        return self.driver.clear(queue, state, older_than)


class ClearsTheYoungToo(BadDriver):
    caught_by: ClassVar = {
        "test_only_what_is_old_enough_is_cleared",
        "test_dead_messages_are_cleared_by_age",
    }

    def clear(
        self, queue: str | None, state: State | None = None, older_than: float | None = None
    ) -> int:
        assert isinstance(self.driver, Clears)
        return self.driver.clear(queue, state)


class RevivesWithTheOldBody(BadDriver):
    caught_by: ClassVar = {"test_a_revived_message_waits_again_as_it_was_given"}

    def revive(self, messages: Sequence[Message]) -> list[Sent]:
        assert isinstance(self.driver, Lists)
        assert isinstance(self.driver, KeepsDead)
        old = self.driver.get([message.id for message in messages])
        pairs = zip(messages, old, strict=True)
        return self.driver.revive(
            [replace(each, body=was.message.body) if was else each for each, was in pairs]
        )


class ForgetsTheLiving(BadDriver):
    caught_by: ClassVar = {"test_forgetting_spares_the_living"}
    also: ClassVar = {
        "test_a_message_whose_key_is_taken_stays_dead",
    }

    def forget(self, ids: Sequence[UUID]) -> int:
        assert isinstance(self.driver, KeepsDead)
        assert isinstance(self.driver, Clears)
        self.driver.clear(None, "waiting")
        return self.driver.forget(ids)


class RescuesWhatIsInHand(BadDriver):
    caught_by: ClassVar = {
        "test_what_is_kept_stays_leased",
        "test_a_reservation_whose_reply_was_lost_costs_nothing",
        "test_a_worker_may_have_any_name",
    }

    def rescue(
        self, worker: str, keep: Collection[bytes] = (), blamed: Collection[UUID] | None = None
    ) -> int:
        assert isinstance(self.driver, Rescues)
        return self.driver.rescue(worker, (), blamed)


class BlamesNobody(BadDriver):
    caught_by: ClassVar = {"test_only_the_blamed_count_their_delivery"}

    def rescue(
        self, worker: str, keep: Collection[bytes] = (), blamed: Collection[UUID] | None = None
    ) -> int:
        assert isinstance(self.driver, Rescues)
        return self.driver.rescue(worker, keep)


class MovesWhatIsLeased(BadDriver):
    """Says that it moved all that it was asked to."""

    caught_by: ClassVar = {"test_moved_messages_wait_on_another_queue_at_their_moment"}
    also: ClassVar = {
        "test_a_moved_message_takes_its_key_along",
    }

    def move(self, ids: Sequence[UUID], queue: str) -> int:
        assert isinstance(self.driver, Lists)
        self.driver.move(ids, queue)
        return sum(each is not None for each in self.driver.get(ids))


class ExhumesWhatIsDelayed(BadDriver):
    """Makes something wait now, whatever it is: beanstalkd's `kick` does, where nothing is buried."""

    caught_by: ClassVar = {"test_exhuming_leaves_the_living_alone"}
    url: ClassVar = "memory://?like=beanstalkd"

    def exhume(self, queue: str | None) -> int:
        assert isinstance(self.driver, Buries)
        assert isinstance(self.driver, Clears)
        return self.driver.exhume(queue) or self.driver.clear(queue, "delayed")


class ExhumesEverything(BadDriver):
    caught_by: ClassVar = {"test_an_exhumed_message_waits_again_as_it_was"}
    url: ClassVar = "memory://?like=beanstalkd"

    def exhume(self, queue: str | None) -> int:
        assert isinstance(self.driver, Buries)
        return self.driver.exhume(None)


class BuriesOutOfSight(BadDriver):
    """Counts none of its dead messages."""

    caught_by: ClassVar = {"test_a_buried_message_is_out_of_line_and_counted"}
    url: ClassVar = "memory://?like=beanstalkd"

    def buried(self, queue: str | None) -> int:
        return 0


class CancelsByHalves(BadDriver):
    """Has the method and does not say so."""

    caught_by: ClassVar = {name for name in dir(Cancelling) if name.startswith("test_")} - {
        "test_no_standard_test_is_changed"
    }
    url: ClassVar = "memory://?like=sqs"

    def cancel(self, ids: Sequence[UUID]) -> Sequence[str]:
        return ["gone" for _ in ids]


class CrashesOnOddWorkers(BadDriver):
    caught_by: ClassVar = {"test_a_worker_may_have_any_name"}

    def consumer(self, worker: str) -> Consumer:
        worker.encode("ascii")
        return super().consumer(worker)
