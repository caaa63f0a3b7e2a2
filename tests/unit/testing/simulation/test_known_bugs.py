"""Mistakes that queues make, put into the product for a test: the simulation finds each of them."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from packhorse.driver import broker, keys
from packhorse.flow import ledger, step, tally
from packhorse.ids import new_id
from packhorse.store.contract import Group
from packhorse.testing.simulation import Found, simulate
from packhorse.worker import closing, courier, execution, following, keeper, settler

SEEDS = 40
"""How many simulations it may take."""

Patch = pytest.MonkeyPatch


def without_token(patch: Patch) -> None:
    patch.setattr(
        broker.Broker,
        "_held",
        lambda self, delivery, worker: self.live.get(delivery.message.id.int),
    )


def follow_up_first(patch: Patch) -> None:
    def apart(here: Any, delivery: Any, sent: Any) -> Any:
        return (), tuple(sent)

    patch.setattr(following, "_apart", apart)


def counted_first(patch: Patch) -> None:
    before = courier.Courier.before

    def both(self: Any, brought: Any) -> Any:
        answer = before(self, brought)
        self._count([one.counted for one in brought.values() if one.counted is not None])
        return answer

    patch.setattr(courier.Courier, "before", both)


def counted_without_name(patch: Patch) -> None:
    def counted(id: Any, ended: Any, total: bool) -> list[Group]:
        members = sorted(one for one, _, _ in ended)
        return honest(id, [(one, "done", b"") for one in members], total)

    honest = ledger.counted
    patch.setattr(ledger, "counted", counted)


def never_renewed(patch: Patch) -> None:
    patch.setattr(keeper, "renewal_due", lambda deadline, now, lease: False)


def started_returned(patch: Patch) -> None:
    honest = keeper.Keeper.return_unstarted

    def all_of_them(self: Any, now: float | None = None) -> None:
        honest(self, now)
        for one in list(self._hand.started.values()):
            if now is not None and now - one.started > 5:
                self._settle(closing.give_back(one))

    patch.setattr(keeper.Keeper, "return_unstarted", all_of_them)


def key_freed_at_the_start(patch: Patch) -> None:
    honest = broker.Broker.take

    def take(self: Any, line: Any, limit: int, now: float, *rest: Any) -> Any:
        taken = honest(self, line, limit, now, *rest)
        for delivery in taken:
            if delivery.message.unique is not None:
                self._keys.free(delivery.message, now)
        return taken

    patch.setattr(broker.Broker, "take", take)


def key_never_freed(patch: Patch) -> None:
    def free(self: Any, message: Any, now: float) -> None:
        held = self._holds(message)
        if held is not None:
            held.live, held.until = False, float("inf")

    patch.setattr(keys.Keys, "free", free)


def group_goes_on_meanwhile(patch: Patch) -> None:
    honest = broker.Broker._retry

    def retry(self: Any, outcome: Any, entry: Any, now: float) -> Any:
        if entry is not None and entry.message.group is not None:
            self.lines[entry.message.queue].leave(entry)
        return honest(self, outcome, entry, now)

    patch.setattr(broker.Broker, "_retry", retry)


def link_with_a_fresh_id(patch: Patch) -> None:
    patch.setattr(step, "link_id", lambda chain, place: new_id())


def called_back_too_soon(patch: Patch) -> None:
    honest = tally.Tally.finish

    def finish(self: Any, id: Any) -> None:
        plan = self.plan(id)
        ((_, failed, _),) = self._sizes([id])
        if plan is not None and not failed:
            self._call_back(id, "then", plan.then, frozenset())
        honest(self, id)

    patch.setattr(tally.Tally, "finish", finish)


def losses_forgotten(patch: Patch) -> None:
    honest = execution.Execution.prepare

    def prepare(self: Any) -> Any:
        self.delivery = msgspec.structs.replace(self.delivery, deliveries=1)
        return honest(self)

    patch.setattr(execution.Execution, "prepare", prepare)


def removed_before_its_record(patch: Patch) -> None:
    honest = settler.Settler._try

    def careless(self: Any, group: Any, repeated: bool) -> None:
        companion, self._companion = self._companion, None
        kept = [each.outcome for each in group]
        honest(self, group, repeated)
        self._companion = companion
        if companion is not None:
            companion.keep(kept)

    patch.setattr(settler.Settler, "_try", careless)


BUGS: list[tuple[Callable[[Patch], None], str]] = [
    (without_token, "memory"),
    (follow_up_first, "memory"),
    (counted_first, "memory"),
    (counted_without_name, "memory"),
    (never_renewed, "memory"),
    (started_returned, "memory"),
    (key_freed_at_the_start, "memory"),
    (key_never_freed, "memory"),
    (group_goes_on_meanwhile, "memory"),
    (link_with_a_fresh_id, "beanstalkd"),
    (called_back_too_soon, "memory"),
    (losses_forgotten, "memory"),
    (removed_before_its_record, "beanstalkd"),
]


@pytest.mark.parametrize(("bug", "like"), BUGS, ids=[bug.__name__ for bug, _ in BUGS])
def test_it_is_found(
    bug: Callable[[Patch], None], like: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bug(monkeypatch)
    found = next(filter(None, (_finding(seed, like) for seed in range(SEEDS))), None)
    assert found is not None
    assert found.story


def _finding(seed: int, like: str) -> Found | None:
    try:
        simulate(seed, like=like)
    except Found as found:
        return found
    return None
