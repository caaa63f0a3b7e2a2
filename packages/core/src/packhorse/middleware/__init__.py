"""Middleware: generator functions round each attempt; what is built in, and what writing one takes."""

from packhorse.middleware.batch_cancelled import SkipIfBatchCancelled
from packhorse.middleware.conditions import FailOnException, ReleaseWhen, Skip
from packhorse.middleware.gcra import Limit, per_day, per_hour, per_minute, per_second
from packhorse.middleware.guard import guard
from packhorse.middleware.rate_limited import RateLimited
from packhorse.middleware.throttles_exceptions import ThrottlesExceptions
from packhorse.middleware.without_overlapping import WithoutOverlapping
from packhorse.store.contract import Delete, Put
from packhorse.store.update import Change, Hold, Update

__all__ = [
    "Change",
    "Delete",
    "FailOnException",
    "Hold",
    "Limit",
    "Put",
    "RateLimited",
    "ReleaseWhen",
    "Skip",
    "SkipIfBatchCancelled",
    "ThrottlesExceptions",
    "Update",
    "WithoutOverlapping",
    "guard",
    "per_day",
    "per_hour",
    "per_minute",
    "per_second",
]
