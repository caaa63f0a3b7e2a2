"""The suite itself is tested: each bad driver is caught, by the tests that name its fault alone."""

from typing import ClassVar

import pytest

from packhorse.driver.contract import Consumer, Driver, DriverSetup
from packhorse.driver.memory import MemoryDriver
from packhorse.driver.url import Url
from packhorse.testing import DriverSuite, ManualClock
from packhorse.testing.promises.crowds import Crowds
from packhorse.testing.promises.stage import Stage
from packhorse.testing.promises.wake import Waking
from packhorse.testing.suite import changed_tests
from tests.conformance.bad import (
    abilities,
    groups,
    keys,
    leases,
    reserving,
    rewriting,
    sending,
    settling,
    waking,
)
from tests.conformance.bad.driver import BadConsumer, BadDriver
from tests.conformance.bad.suite_runner import failing, names_of

SUBJECTS = [each for each in DriverSuite.__mro__ if Stage in each.__bases__]
REAL_TIME = {Waking, Crowds}
"""Subjects whose tests wait: only those run them whom they should catch."""

BAD: list[type[BadDriver] | type[BadConsumer]] = [
    bad
    for module in (sending, reserving, settling, leases, waking, abilities, keys, groups, rewriting)
    for bad in vars(module).values()
    if isinstance(bad, type) and "caught_by" in vars(bad)
]


class OnMemory(DriverSuite):
    lease = 30.0
    clock = ManualClock()
    crowd = 400
    patience = 0.5


class WithBadConsumers(BadDriver):
    kind: type[BadConsumer]

    def consumer(self, worker: str) -> Consumer:
        return self.kind(self, self.driver.consumer(worker))


def make(bad: type[BadDriver] | type[BadConsumer]) -> Driver:
    kind = bad if issubclass(bad, BadDriver) else WithBadConsumers
    setup = DriverSetup(lease=kind.lease, clock=OnMemory.clock)
    driver = kind(MemoryDriver.open(Url.parse(kind.url), setup))
    if isinstance(driver, WithBadConsumers) and issubclass(bad, BadConsumer):
        driver.kind = bad
    return driver


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_a_bad_driver_is_caught_by_the_tests_that_name_its_fault(
    bad: type[BadDriver] | type[BadConsumer],
) -> None:
    subjects = [
        each for each in SUBJECTS if each not in REAL_TIME or bad.caught_by & {*names_of(each)}
    ]
    spoiled = {name for subject in bad.spoils for name in names_of(subject)}
    failed = failing(OnMemory(), subjects, lambda: make(bad))
    assert bad.caught_by <= failed
    assert failed - spoiled == (bad.caught_by | bad.also) - spoiled


def test_every_subject_has_a_bad_driver() -> None:
    assert len(SUBJECTS) == 23
    caught = {name for bad in BAD for name in bad.caught_by}
    assert [each.__name__ for each in SUBJECTS if not caught & {*names_of(each)}] == []


def test_a_wrapped_driver_that_changes_nothing_passes() -> None:
    class Harmless(BadDriver):
        caught_by: ClassVar = set()

    assert failing(OnMemory(), SUBJECTS, lambda: make(Harmless)) == set()


def test_a_suite_with_changed_tests_is_caught() -> None:
    overrides = type("Overrides", (DriverSuite,), {"test_done_removes_the_message": lambda: None})
    deletes = type("Deletes", (overrides,), {"test_wake_ends_a_waiting_reservation": None})
    adds = type("Adds", (DriverSuite,), {"test_something_of_my_own": lambda: None})
    assert changed_tests(overrides) == ["test_done_removes_the_message"]
    assert changed_tests(deletes) == [
        "test_done_removes_the_message",
        "test_wake_ends_a_waiting_reservation",
    ]
    with pytest.raises(AssertionError, match="Deletes overrides or deletes"):
        deletes().test_no_standard_test_is_changed()
    adds().test_no_standard_test_is_changed()
