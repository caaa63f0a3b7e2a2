"""When one question answers for a whole row, and when each job is asked for."""

import pytest

pytestmark = pytest.mark.backend("beanstalkd")


def told(untouched: bool, deliveries: int = 1) -> object:
    from packhorse_beanstalkd.losses import History

    return History(deliveries, 30, untouched)


def asked(rows: list[list[int]], firsts: dict[int, object], quiet: bool = True) -> list[int]:
    from packhorse_beanstalkd.losses import unsure

    return unsure(rows, firsts, quiet)  # type: ignore[arg-type]


def test_behind_an_untouched_job_nothing_is_asked_for() -> None:
    assert asked([[5, 6, 9], [2, 3]], {5: told(True), 2: told(True)}) == []


def test_behind_one_that_was_touched_each_is_asked_for() -> None:
    assert asked([[5, 6, 9], [2, 3]], {5: told(False), 2: told(True)}) == [6, 9]


def test_one_with_a_lower_number_came_back_in_the_meantime() -> None:
    assert asked([[5, 6, 4, 9]], {5: told(True)}) == [4]


def test_where_something_was_given_up_each_is_asked_for() -> None:
    assert asked([[5, 6]], {5: told(True)}, quiet=False) == [6]


def test_where_the_first_is_gone_each_is_asked_for() -> None:
    assert asked([[5, 6]], {5: None}) == [6]


@pytest.mark.parametrize(
    ("counts", "deliveries", "untouched"),
    [
        ({}, 1, True),
        ({"reserves": 2}, 2, False),
        ({"reserves": 5, "releases": 3}, 2, False),
        ({"reserves": 2, "buries": 1, "kicks": 1}, 1, False),
        ({"delay": 3}, 1, False),
        ({"buries": 1, "kicks": 1}, 1, False),
    ],
)
def test_a_history_is_read(counts: dict[str, int], deliveries: int, untouched: bool) -> None:
    from packhorse_beanstalkd.losses import History, history
    from packhorse_beanstalkd.wire import Reply

    names = ("reserves", "releases", "buries", "kicks", "delay", "ttr")
    numbers = dict.fromkeys(names, 0) | {"reserves": 1, "ttr": 30} | counts
    lines = "".join(f"{name}: {number}\n" for name, number in numbers.items())
    body = f'---\nid: 1\ntube: "a"\nstate: reserved\n{lines}'.encode()
    assert history(Reply(b"OK", [b"1"], body)) == History(deliveries, 30, untouched)
    assert history(Reply(b"NOT_FOUND", [], b"")) is None
