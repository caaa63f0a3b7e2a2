"""Every error that packhorse raises, as one tree.

PackhorseError
├── ConfigError            a setting is missing, misspelt or has a wrong value
│   └── UnknownDriver      no installed driver answers to the URL's scheme
├── PluginError            a plugin that was asked for is missing, broken or contradicts another
├── JobDefinitionError     a job is declared in a way that cannot work (raised at import)
├── UnknownJob             no registered job has that name
├── InvalidPayload         arguments do not fit the job, or a message cannot be read
├── PayloadTooLarge        a message is larger than the broker takes
├── Unsupported            the driver lacks an ability that was asked for
├── StoreRequired          a feature needs shared state and the connection has no store
├── ConnectionLost         the broker cannot be reached; what was under way may or may not have happened
├── DecryptionError        a sealed message cannot be opened
├── JobTimedOut            a handler ran longer than its job allows
├── JobCrashed             the process in which a job ran alone has died
├── MaxAttemptsExceeded    a job is out of tries, or its time for retries is over
├── LeaseLost              a delivery belongs to another worker by now
├── JobCancelled           a job was cancelled before or while it ran
├── JobFailedError         the job whose result was waited for has failed for good
├── SealedError            what is told in place of an error whose text is sealed
└── NoResult               no result is kept of a job

A message says what happened, to which job, queue, file or setting, and what to do next. A driver
raises these and never lets an exception of its client library through; it chains it as the cause.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packhorse.wire.envelope import Failure


class PackhorseError(Exception):
    """The root: `except PackhorseError` catches all that packhorse raises on its own account."""


class ConfigError(PackhorseError):
    """A setting is missing, misspelt or has a wrong value."""


class UnknownDriver(ConfigError):
    """No installed driver answers to the URL's scheme; the message names the package that does."""


class PluginError(PackhorseError):
    """A plugin that was asked for is missing, broken or contradicts another."""


class JobDefinitionError(PackhorseError):
    """A job is declared in a way that cannot work; raised when its module is imported."""


class UnknownJob(PackhorseError):
    """No registered job has that name."""


class InvalidPayload(PackhorseError):
    """Arguments do not fit the job's annotations, or a message cannot be read."""


class PayloadTooLarge(PackhorseError):
    """A message is larger than the broker takes."""


class Unsupported(PackhorseError):
    """The driver lacks an ability that was asked for; nothing was done."""


class StoreRequired(PackhorseError):
    """A feature needs shared state and the connection has no store; the message has the line to add."""


class ConnectionLost(PackhorseError):
    """The broker cannot be reached; what was under way may or may not have happened."""


class DecryptionError(PackhorseError):
    """A sealed message cannot be opened: a key is missing or the seal is broken."""


class JobTimedOut(PackhorseError):
    """A handler ran longer than its job allows."""


class JobCrashed(PackhorseError):
    """The process in which a job ran alone has died, or could not start; the message has its last words."""


class MaxAttemptsExceeded(PackhorseError):
    """A job is out of tries, or its time for retries is over, before it could start again."""


class LeaseLost(PackhorseError):
    """A delivery belongs to another worker by now; what this one did about it changes nothing."""


class JobCancelled(PackhorseError):
    """A job was cancelled before or while it ran.

    Raised where its result is waited for, also for one that was dropped because its `expires` was
    over or a newer one took its place. A job may raise it itself once it is told.
    """


class JobFailedError(PackhorseError):
    """The job whose result was waited for has failed for good.

    `failure` is the last attempt's, None if there was none; its traceback is chained as the cause.
    Of a sealed job neither is told in the message or chained, so that no log shows them.
    """

    def __init__(self, message: str, reason: str = "", failure: "Failure | None" = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.failure = failure


class NoResult(PackhorseError):
    """No result is kept of a job: nobody asked for it, its time is over, or the job was never there."""


class SealedError(PackhorseError):
    """What events and logs have in place of an error of a sealed job: they get its type alone.

    The whole of it is sealed with the job's record.
    """
