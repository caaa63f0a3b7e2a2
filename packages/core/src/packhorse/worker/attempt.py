"""What becomes of an attempt: plain functions from values to values, no clock and no thread.

`before` decides whether a delivery runs at all, `after` what follows from how its run ended,
`unknown` about a job that this process does not know. The table is in `docs/guarantees.md`.
"""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from packhorse.context import Fail, Release, Wish
from packhorse.errors import MaxAttemptsExceeded
from packhorse.options import Exponential, Isolation

Result = Literal["done", "deleted", "skipped", "cancelled", "expired", "superseded"]


class Facts(Struct, frozen=True):
    """What is known at a delivery: banked counters, moments (seconds since 1970), and now.

    `lost` counts deliveries that were started and never reported back.
    """

    now: float
    failed: int = 0
    lost: int = 0
    until: float | None = None
    expires: float | None = None
    cancelled: bool = False


class Policy(Struct, frozen=True):
    """What is allowed: a job's options, resolved. 0 `tries` and 0 `timeout` mean no limit.

    `keep_result` is in seconds; 0: it is not kept.
    """

    tries: int = 1
    backoff: float | tuple[float, ...] | Exponential | Callable[[int], float] = 0.0
    timeout: float = 60.0
    soft_timeout: bool = True
    fail_on_timeout: bool = False
    max_losses: int = 3
    isolate: bool | Isolation = False
    keep_result: float = 0.0


class Ending(Struct, frozen=True):
    """How a run ended: what it raised, whether that was its time-out, what it had asked for, and
    whether it took the process down in which it ran alone."""

    error: BaseException | None = None
    timed_out: bool = False
    wish: Wish | None = None
    skipped: bool = False
    crashed: bool = False


class Finish(Struct, frozen=True):
    """Over, and off the broker."""

    result: Result


class Again(Struct, frozen=True):
    """Once more in `delay` seconds, with these counters; `error` if a failure is to be kept."""

    delay: float
    failed: int
    lost: int
    error: BaseException | None = None


class Bury(Struct, frozen=True):
    """Failed for good."""

    reason: str
    error: BaseException | None = None


Verdict = Finish | Again | Bury


def before(facts: Facts, policy: Policy) -> Finish | Bury | None:
    """What becomes of a delivery without running it; None: it runs."""
    if facts.cancelled:
        return Finish("cancelled")
    if facts.expires is not None and facts.expires <= facts.now:
        return Finish("expired")
    if facts.lost > policy.max_losses:
        return Bury(f"quarantined: started and never reported back {_times(facts.lost)}")
    if facts.until is not None and facts.until <= facts.now:
        return Bury("retry_until is over", MaxAttemptsExceeded("retry_until is over"))
    if policy.tries and facts.failed >= policy.tries:
        text = f"failed {facts.failed} times, tries={policy.tries}"
        return Bury(text, MaxAttemptsExceeded(text))
    return None


def after(facts: Facts, policy: Policy, ending: Ending, random: float) -> Verdict:
    """What follows from a run; `facts.now` is the moment of its end, `random` from 0 up to 1.

    A wish to fail wins over an exception, that over a release, that over a return. Whoever takes down
    the process in which it runs alone has failed, which counts against `tries`; and since whatever does
    so is not to go on for ever, even where tries have no limit, it counts as a loss as well.
    """
    if isinstance(ending.wish, Fail):
        return Bury(ending.wish.reason, ending.wish.error or ending.error)
    if ending.error is not None:
        failed, lost = facts.failed + 1, facts.lost + ending.crashed
        if ending.timed_out and policy.fail_on_timeout:
            return Bury("timed out", ending.error)
        if policy.tries and failed >= policy.tries:
            return Bury(f"failed at attempt {failed} of {policy.tries}", ending.error)
        if facts.until is not None and facts.until <= facts.now:
            return Bury("retry_until is over", ending.error)
        if lost > policy.max_losses:
            return Bury(f"quarantined: its process died {_times(lost)}", ending.error)
        return Again(pause(policy.backoff, failed, random), failed, lost, ending.error)
    if isinstance(ending.wish, Release):
        lost = facts.lost + ending.crashed  # a guard may put off what it has seen crash
        return Again(max(0.0, ending.wish.delay), facts.failed, lost)
    if ending.skipped:
        return Finish("skipped")
    return Finish("done" if ending.wish is None else "deleted")


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def unknown(seen: int, limit: int) -> float | None:
    """Seconds until somebody else may know the name, after `seen` looks; None: time to bury it."""
    return None if seen >= limit else float(min(2 ** min(seen, 9), 300))


def pause(
    backoff: float | tuple[float, ...] | Exponential | Callable[[int], float],
    failures: int,
    random: float,
) -> float:
    """Seconds to wait after so many failures (1 or more)."""
    if isinstance(backoff, Exponential):
        # Beyond 2**64 any cap is reached; the exponent is bounded so that it cannot overflow.
        full = min(backoff.cap, backoff.base * 2.0 ** min(failures - 1, 64))
        return full * (1.0 - backoff.jitter * random)
    if isinstance(backoff, tuple):
        return backoff[min(failures, len(backoff)) - 1]
    if callable(backoff):
        return max(0.0, float(backoff(failures)))
    return backoff
