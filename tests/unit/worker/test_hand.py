"""The hand: what tells the keeper whether there is anything to look after."""

from collections.abc import Iterator

import pytest

from packhorse import Packhorse, job
from packhorse.worker.execution import Execution
from packhorse.worker.hand import Hand
from tests.unit.worker.attempts import execution


@job(name="carry")
def carry() -> None: ...


@pytest.fixture
def one() -> Iterator[Execution]:
    with Packhorse("memory://") as app:
        yield execution(app, carry.bind())


def test_taken_is_set_from_the_first_delivery_until_the_last_is_settled(one: Execution) -> None:
    hand = Hand(None, lambda: None)
    assert not hand.taken.is_set()
    hand.take(one)
    hand.rest()
    assert hand.taken.is_set()
    assert hand.claim(one)
    hand.rest()
    assert hand.taken.is_set()  # between a claim and the start, too
    hand.start(one)
    hand.rest()
    assert hand.taken.is_set()
    hand.drop([one.delivery.token])
    hand.rest()
    assert not hand.taken.is_set()


def test_what_comes_while_the_keeper_turns_away_is_seen(one: Execution) -> None:
    hand = Hand(None, lambda: None)
    hand.taken.set()
    clear = hand.taken.clear

    def clear_late() -> None:
        hand.take(one)  # it sees that `taken` is still set
        clear()

    hand.taken.clear = clear_late  # type: ignore[method-assign]
    hand.rest()
    assert hand.taken.is_set()
