"""Where only the clock fences: which settlements must not be told to the broker any more."""

from collections.abc import Iterable

from packhorse.driver.outcome import Return
from packhorse.worker.closing import Settlement


def parted(
    group: Iterable[Settlement], now: float, repeated: bool
) -> tuple[list[Settlement], list[Settlement]]:
    """Those that may be told at the monotonic moment `now`, and those that are somebody else's.

    A `repeated` telling, whose reply was lost, may have been carried out: what was given back by it
    can be anybody's since, and giving it back once more would take it from them.
    """
    kept: list[Settlement] = []
    over: list[Settlement] = []
    for each in group:
        execution = each.execution
        deadline = each.outcome.delivery.deadline if execution is None else execution.deadline
        given_back = repeated and isinstance(each.outcome, Return)
        (over if given_back or now >= deadline else kept).append(each)
    return kept, over
