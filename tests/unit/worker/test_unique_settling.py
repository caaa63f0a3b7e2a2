"""Unique keys in a store, at a settling: when they are freed, and that they are never left behind."""

import time
from collections.abc import Iterator, Sequence
from typing import NoReturn

import pytest

from packhorse import ConnectionLost, Packhorse, job, registry
from packhorse.driver.abilities import Clears
from packhorse.driver.contract import Consumer
from packhorse.graveyard import StoreGraveyard
from packhorse.options import NOTHING
from packhorse.store.contract import Group, Value
from packhorse.wire.seal import open_envelope
from packhorse.worker.attempt import Bury, Finish
from packhorse.worker.closing import close, give_back
from packhorse.worker.companion import Companion
from packhorse.worker.courier import Courier
from packhorse.worker.execution import Execution
from packhorse.worker.gate import Gate
from packhorse.worker.hand import Hand
from packhorse.worker.policy import Policies
from packhorse.worker.settler import Settler
from packhorse.worker.site import Site


@job(name="brand", unique=True)
def brand() -> None: ...


class Stall:
    """The parts of a worker that meet a key, without its threads, on a broker that keeps none."""

    def __init__(self, app: Packhorse) -> None:
        self.app, connection = app, app.connection()
        self.consumer: Consumer = connection.driver.consumer("w")
        self.site = Site("w", app, connection, Policies(NOTHING), connection.known_codecs())
        self.settler = Settler(
            self.site,
            self.consumer,
            Hand(None, lambda: None),
            Companion.of(connection, "w"),
            Courier(app, connection, "w"),
            lambda error, pause: None,
        )

    def reserve(self) -> Execution:
        (delivery,) = self.consumer.reserve(["default"], 1, 0).deliveries
        envelope = open_envelope(delivery.message.body)
        definition = registry.find(envelope.job)
        assert definition is not None
        one = Execution(self.site, delivery, envelope, definition, time.monotonic())
        one.open()
        return one

    def key_is_free(self) -> bool:
        """Whether the job can be pushed again."""
        return not brand.dispatch().skipped


@pytest.fixture
def stall() -> Iterator[Stall]:
    with Packhorse("memory://?like=beanstalkd") as app:
        brand.dispatch()
        yield Stall(app)


def test_a_key_is_freed_only_once_the_record_of_a_failure_is_kept(
    stall: Stall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else another may take it, and what failed comes again after a crash and is dropped for that one."""
    one = stall.reserve()
    Gate(stall.app).admit([one])
    failed = close(one, Bury("no"))

    def away(*_: object) -> None:
        raise ConnectionLost("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(StoreGraveyard, "bury", away)
        stall.settler.settle_rest([failed])
    assert not stall.key_is_free()
    stall.settler.settle_rest([failed])
    assert stall.app.failed.count() == 1
    assert stall.key_is_free()


def done_elsewhere(stall: Stall, one: Execution) -> None:
    """Another worker gets the message, is done with it, and frees its key."""
    driver: object = stall.app.connection().driver
    assert isinstance(driver, Clears)
    driver.clear("default")
    message = one.delivery.message
    stall.app.connection().unique_keys().orphaned(message.queue, [message.id])


def test_a_key_that_was_taken_anew_for_what_was_done_elsewhere_is_let_go(stall: Stall) -> None:
    one = stall.reserve()
    done_elsewhere(stall, one)
    Gate(stall.app).admit(
        [one]
    )  # by a worker that stood still, before it knows that its lease is over
    assert not stall.key_is_free()
    one.deadline = time.monotonic()
    stall.settler.settle_rest([give_back(one)])
    assert stall.key_is_free()


def test_a_key_that_was_taken_for_what_another_has_reserved_is_put_back(stall: Stall) -> None:
    """Else a third may take it, and the message would be dropped for that one."""
    one = stall.reserve()
    Gate(stall.app).admit([one])
    driver: object = stall.app.connection().driver
    assert isinstance(driver, Clears)
    driver.clear("default")  # as good as another's lease: the broker knows no such reservation
    one.deadline = time.monotonic()
    stall.settler.settle_rest([give_back(one)])
    assert not stall.key_is_free()


def test_a_key_is_not_taken_for_what_will_not_start_because_its_lease_has_ended(
    stall: Stall,
) -> None:
    one = stall.reserve()
    one.deadline = time.monotonic()
    Gate(stall.app).admit([one])
    assert one.claimed is None


def test_a_key_is_not_taken_over_from_a_worker_that_has_got_the_job_meanwhile(
    stall: Stall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one that stood still while it asked: whose the key is now frees it when it is done."""
    stale, store = stall.reserve(), stall.app.connection().store
    current = Execution(
        stall.site, stale.delivery, stale.envelope, stale.definition, time.monotonic()
    )
    current.open()
    read = store.read

    def slow(keys: Sequence[str]) -> list[Value | None]:
        with monkeypatch.context() as patch:
            patch.setattr(store, "read", read)
            Gate(stall.app).admit([current])
        stale.deadline = time.monotonic()
        return read(keys)

    with monkeypatch.context() as patch:
        patch.setattr(store, "read", slow)
        Gate(stall.app).admit([stale])
    assert stale.claimed is None
    stall.settler.settle_rest([close(current, Finish("done"))])
    assert stall.key_is_free()


def test_a_key_whose_taking_was_not_answered_goes_back_with_the_job(
    stall: Stall, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, store = stall.reserve(), stall.app.connection().store
    done_elsewhere(stall, one)
    apply = store.apply

    def unanswered(groups: Sequence[Group]) -> NoReturn:
        apply(groups)
        raise ConnectionLost("the reply got lost")

    with monkeypatch.context() as patch:
        patch.setattr(store, "apply", unanswered)
        with pytest.raises(ConnectionLost):
            Gate(stall.app).admit([one])
    one.deadline = time.monotonic()
    stall.settler.settle_rest([give_back(one)])
    assert stall.key_is_free()
