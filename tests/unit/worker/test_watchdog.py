"""When a silent connection is opened anew, and when its worker is given up."""

from packhorse.worker.watchdog import TURNS, Watchdog, patience


def looks(dog: Watchdog, start: float, seconds: int, answered: float) -> list[tuple[int, str]]:
    """What is to be done, by the second at which it is."""
    found = ((second, dog.look(start + second, answered)) for second in range(1, seconds + 1))
    return [(second, what) for second, what in found if what is not None]


def test_silence_opens_anew_once_each_patience_and_is_deaf_in_the_end() -> None:
    dog = Watchdog(10.0, now=0.0)
    expected = [(10 * turn, "open anew") for turn in range(1, TURNS)]
    assert looks(dog, 0.0, 10 * TURNS, answered=0.0) == [*expected, (10 * TURNS, "deaf")]


def test_any_answer_begins_anew() -> None:
    dog = Watchdog(10.0, now=0.0)
    assert looks(dog, 0.0, 15, answered=0.0) == [(10, "open anew")]
    assert dog.look(16.0, answered=15.5) is None
    assert looks(dog, 16.0, 15, answered=15.5) == [(10, "open anew")]


def test_a_process_that_was_stopped_has_not_been_listening() -> None:
    dog = Watchdog(10.0, now=0.0)
    assert dog.look(1000.0, answered=0.0) is None
    assert looks(dog, 1000.0, 9, answered=0.0) == [(9, "open anew")]


def test_patience_is_longer_than_what_is_due() -> None:
    assert patience(lease=30, sleep=5) == 40
    assert patience(lease=30, sleep=60) == 90
    assert patience(lease=600, sleep=5) == 230
