"""A job's options: their names and types, how they are checked, and who wins over whom."""

import difflib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec
from msgspec import UNSET, Struct, UnsetType

from packhorse.driver.message import Unique
from packhorse.errors import JobDefinitionError, Unsupported

if TYPE_CHECKING:
    from packhorse.context import JobContext

Middleware = Callable[["JobContext"], Iterator[object]]
"""A generator function (`-> Iterator[None]`, or any `Generator`); `yield` is where the job runs."""

Moment = float | timedelta | datetime
"""Seconds from now, or a moment (a naive datetime is local time)."""


class Exponential(Struct, frozen=True, tag=True):
    """A backoff that doubles: `base`, 2 x `base`, 4 x `base` … seconds, up to `cap`.

    `jitter` is the share that is random: 0.1 takes up to a tenth off, so that what failed together
    does not come back together.
    """

    base: float = 1.0
    cap: float = 3600.0
    jitter: float = 0.1


def exponential(base: float = 1.0, cap: float = 3600.0, jitter: float = 0.1) -> Exponential:
    """A backoff for `backoff=`: see `Exponential`."""
    return Exponential(base, cap, jitter)


class Isolation(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of the process in which a job runs alone, for `isolate=`; None: no limit.

    `memory`: megabytes that it may have for itself, its interpreter and modules included; more is a
    `MemoryError`. `cpu`: whole seconds that an attempt may compute. `files`: how many files it may have
    open at once, about ten of its own included.
    """

    memory: int | None = None
    cpu: int | None = None
    files: int | None = None


Backoff = float | Sequence[float] | Exponential
"""Seconds before each repetition; the n-th of a list before the n-th, the last one repeats."""


class Options(TypedDict, total=False):
    """The keywords of `@job`, of a job class and of `using`; `docs/jobs.md` describes each."""

    # read at dispatch
    name: str
    aliases: Sequence[str]
    queue: str
    connection: str
    delay: float | timedelta
    tags: Sequence[str]
    codecs: Sequence[str]
    after_commit: bool
    unique: bool | Unique
    group: str
    retry_until: Moment
    expires: Moment
    # read when the job runs
    tries: int
    backoff: Backoff
    timeout: float
    soft_timeout: bool
    fail_on_timeout: bool
    max_losses: int
    at_most_once: bool
    isolate: bool | Isolation
    middleware: Sequence[Middleware]
    keep_result: float


class OptionSet(
    Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    repr_omit_defaults=True,
    forbid_unknown_fields=True,
):
    """Options as values: checked, and UNSET where nobody said anything."""

    name: str | UnsetType = UNSET
    aliases: tuple[str, ...] | UnsetType = UNSET
    queue: str | UnsetType = UNSET
    connection: str | UnsetType = UNSET
    delay: float | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    codecs: tuple[str, ...] | UnsetType = UNSET
    after_commit: bool | UnsetType = UNSET
    unique: bool | Unique | UnsetType = UNSET
    group: str | UnsetType = UNSET
    retry_until: object = UNSET
    expires: object = UNSET
    tries: int | UnsetType = UNSET
    backoff: float | tuple[float, ...] | Exponential | UnsetType = UNSET
    timeout: float | UnsetType = UNSET
    soft_timeout: bool | UnsetType = UNSET
    fail_on_timeout: bool | UnsetType = UNSET
    max_losses: int | UnsetType = UNSET
    at_most_once: bool | UnsetType = UNSET
    isolate: bool | Isolation | UnsetType = UNSET
    middleware: object = UNSET
    keep_result: float | UnsetType = UNSET


NAMES = frozenset(OptionSet.__struct_fields__)
RUN = frozenset(
    {
        "tries",
        "backoff",
        "timeout",
        "soft_timeout",
        "fail_on_timeout",
        "max_losses",
        "at_most_once",
        "isolate",
        "keep_result",
    }
)
"""Options that are read when the job runs; as overrides of one message they travel with it."""
FIXED = frozenset({"name", "aliases", "middleware"})
"""Options that belong to the job, not to one message."""
_NOT_NEGATIVE = frozenset({"delay", "tries", "timeout", "max_losses", "keep_result"})
_MOMENTS = frozenset({"retry_until", "expires"})
_TEXTS = frozenset({"name", "aliases", "queue", "connection", "tags", "codecs", "group"})
_NOT_YET = {"after_commit": "pushing after a commit"}
NOTHING = OptionSet()


def check(owner: str, given: Mapping[str, object], *, message: bool = False) -> OptionSet:
    """Checks keywords; raises `JobDefinitionError` that names the owner, the option and the nearest.

    `message`: these are for one message (`using`), where the job's own options make no sense.
    """
    values = dict(given)
    for name in values:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise JobDefinitionError(f"{owner}: there is no option {name!r}{hint}")
        if message and name in FIXED:
            raise JobDefinitionError(f"{owner}: {name!r} belongs to the job, not to one message")
        if values[name] and name in _NOT_YET:
            raise Unsupported(f"{owner}: {_NOT_YET[name]} ({name}=…) is not available yet")
    if isinstance(values.get("delay"), timedelta):
        values["delay"] = values["delay"].total_seconds()  # type: ignore[attr-defined]
    try:
        options = msgspec.convert(values, OptionSet)
    except msgspec.ValidationError as error:
        raise JobDefinitionError(f"{owner}: wrong option: {error}") from None
    for name in values:
        wrong = _wrong(name, getattr(options, name))
        if wrong:
            raise JobDefinitionError(f"{owner}: {name}={getattr(options, name)!r} {wrong}")
    if options.at_most_once is True and options.tries not in (UNSET, 1):
        raise JobDefinitionError(f"{owner}: at_most_once=True allows no tries={options.tries!r}")
    return options


def _wrong(name: str, value: Any) -> str:
    """What is wrong with a value that has the right type; "" if nothing is."""
    if value is UNSET:
        return ""
    if name in _NOT_NEGATIVE and not 0 <= value < math.inf:
        return "must be a number from 0 up"
    if name in _MOMENTS and not _is_moment(value):
        return "must be seconds, a timedelta or a datetime"
    if name in _TEXTS:
        texts = (value,) if isinstance(value, str) else value
        if not all(map(_is_text, texts)):
            return "must be text that is not empty and holds no lone surrogates"
    if name == "backoff":
        return _wrong_backoff(value)
    if isinstance(value, Unique):
        return _wrong_unique(value)
    if isinstance(value, Isolation):
        return _wrong_isolation(value)
    return ""


def _wrong_backoff(value: "float | tuple[float, ...] | Exponential") -> str:
    if isinstance(value, Exponential):
        fine = 0 <= value.base < math.inf and 0 <= value.cap < math.inf and 0 <= value.jitter <= 1
        return "" if fine else "must have base and cap from 0 up and jitter from 0 to 1"
    delays = value if isinstance(value, tuple) else (value,)
    if not delays or not all(0 <= delay < math.inf for delay in delays):
        return "must be seconds from 0 up"
    return ""


def _wrong_isolation(value: Isolation) -> str:
    try:
        msgspec.convert(msgspec.to_builtins(value), Isolation)
    except msgspec.ValidationError as error:
        return f"is no Isolation: {error}"
    limits = (value.memory, value.cpu, value.files)
    fine = all(limit is None or 0 < limit < 2**31 for limit in limits)
    return "" if fine else "must have limits from 1 up"


def _wrong_unique(value: Unique) -> str:
    try:
        msgspec.convert(msgspec.to_builtins(value), Unique)
    except msgspec.ValidationError as error:
        return f"is no Unique: {error}"
    times = (value.window, 0.0 if value.max_wait is None else value.max_wait)
    if not all(0 <= seconds < math.inf for seconds in times):
        return "must have window and max_wait from 0 up"
    if value.key and not _is_text(value.key):
        return "must have a key without lone surrogates"
    return ""


def _is_moment(value: object) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return math.isfinite(value)
    return isinstance(value, timedelta | datetime)


def _is_text(value: str) -> bool:
    return bool(value) and not any("\ud800" <= character <= "\udfff" for character in value)


def merge(base: OptionSet, over: OptionSet) -> OptionSet:
    """Both, where `over` wins wherever it says something."""
    if over is NOTHING or over == NOTHING:
        return base
    said = {name: value for name in NAMES if (value := getattr(over, name)) is not UNSET}
    return msgspec.structs.replace(base, **said)


def moment(value: object, now: float) -> float:
    """A `Moment` as seconds since 1970, as seen at `now`."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, timedelta):
        return now + value.total_seconds()
    return now + float(value)  # type: ignore[arg-type]
