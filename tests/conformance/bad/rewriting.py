"""Bad at writing messages anew."""

from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import replace

from packhorse.driver.abilities import Cancels, Lists, Rewrites
from packhorse.driver.message import Rewriting
from tests.conformance.bad.driver import BadDriver


class RewritesWhatChanged(BadDriver):
    caught_by: ClassVar = {"test_what_changed_meanwhile_stays_as_it_is"}

    def rewrite(self, changes: Sequence[Rewriting]) -> int:
        assert isinstance(self.driver, Rewrites)
        assert isinstance(self.driver, Lists)
        found = self.driver.get([change.id for change in changes])
        return self.driver.rewrite(
            [
                change if one is None else replace(change, old=one.message.body)
                for change, one in zip(changes, found, strict=True)
            ]
        )


class LeavesRecordsAsTheyAre(BadDriver):
    caught_by: ClassVar = {"test_a_dead_one_gets_its_record_too"}

    def rewrite(self, changes: Sequence[Rewriting]) -> int:
        assert isinstance(self.driver, Rewrites)
        return self.driver.rewrite([replace(change, record=None) for change in changes])


class HurriesWhatItWrites(BadDriver):
    caught_by: ClassVar = {"test_a_delayed_one_stays_delayed_and_keeps_its_key"}

    def rewrite(self, changes: Sequence[Rewriting]) -> int:
        assert isinstance(self.driver, Rewrites)
        assert isinstance(self.driver, Cancels)
        written = self.driver.rewrite(changes)
        self.driver.cancel([change.id for change in changes])
        return written
