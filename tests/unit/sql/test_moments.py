"""The clock: it never runs back, whatever the machine's does, and processes agree on it."""

from pathlib import Path

from packhorse.plugin import Message
from packhorse.testing import ManualClock
from packhorse_sql.moments import Moments, seconds, span
from tests.unit.sql.opening import messages, open_driver, take


def test_it_is_the_wall_clock_and_follows_it_forward() -> None:
    clock = ManualClock()
    moments = Moments(clock)
    assert seconds(moments.now()) == clock.wall()
    clock.advance(1.5)
    clock.jump(3_600)
    assert seconds(moments.now()) == clock.wall()


def test_a_wall_clock_that_is_set_back_changes_nothing() -> None:
    clock = ManualClock()
    moments = Moments(clock)
    before = moments.now()
    clock.jump(-3_600)
    assert moments.now() == before
    clock.advance(10)
    assert moments.now() == before + span(10)


def test_a_later_moment_stays_later_without_end() -> None:
    moments = Moments(ManualClock())
    first = moments.now()
    assert [moments.now(later_by=1), moments.now(), moments.now(later_by=1)] == [
        first + 1,
        first + 1,
        first + 2,
    ]


def test_a_length_that_no_column_holds_lasts_for_ever() -> None:
    assert 0 < span(float("inf")) == span(1e300) < 2**62
    assert span(1.5) == 1_500_000


def test_delays_and_leases_go_on_after_the_wall_clock_was_set_back(tmp_path: Path) -> None:
    clock = ManualClock()
    driver = open_driver(tmp_path / "jobs.db", clock, lease=30)
    consumer = driver.consumer("w")
    (now, later) = messages(b"now", b"later")
    driver.send([now, Message(later.id, "q", b"later", delay=60)])
    assert len(take(consumer)) == 1
    clock.jump(-3_600)
    assert take(consumer) == []
    clock.advance(30)
    assert [each.message.body for each in take(consumer)] == [b"now"]
    clock.advance(30)
    assert {each.message.body for each in take(consumer)} == {b"now", b"later"}


def test_a_driver_that_starts_after_the_clock_was_set_back_goes_on_from_before(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    driver = open_driver(tmp_path / "jobs.db", clock)
    driver.send(messages(b"x"))
    driver.close()
    clock.jump(-3_600)
    again = open_driver(tmp_path / "jobs.db", clock)
    assert [each.message.body for each in take(again.consumer("w"))] == [b"x"]
    again.send(messages(b"y"))
    assert len(take(again.consumer("w"))) == 1
