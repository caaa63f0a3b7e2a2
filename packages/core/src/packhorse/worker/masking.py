"""What logs and events may say of a failure: of a sealed job's, its type and where it is kept."""

from typing import TYPE_CHECKING, TypeVar

from packhorse.errors import JobTimedOut, MaxAttemptsExceeded, SealedError
from packhorse.wire.seal import is_sealed
from packhorse.worker.attempt import Bury

if TYPE_CHECKING:
    from packhorse.worker.execution import Execution

E = TypeVar("E", bound=BaseException | None)

_OURS = (JobTimedOut, MaxAttemptsExceeded, SealedError)
"""Errors whose text is packhorse's own."""


def sealed(execution: "Execution") -> bool:
    """Whether what a job says is to be told to nobody."""
    return bool(execution.envelope.enc) and is_sealed(execution.envelope, execution.site.codecs)


def shown(execution: "Execution | None", error: E) -> "E | SealedError":
    """An exception as it may be told; of a sealed job's neither text, cause nor traceback."""
    if error is None or execution is None or isinstance(error, _OURS):
        return error
    if execution.body is None or not sealed(execution):  # what was not opened cannot be told
        return error
    return SealedError(f"{type(error).__name__}, of a job that is sealed")


def reason(execution: "Execution | None", verdict: Bury) -> str:
    """Why a job failed for good, as it may be told."""
    error = verdict.error
    masked = shown(execution, error)
    if masked is not error or (error is None and execution is not None and sealed(execution)):
        return f"failed with {masked}" if masked is not None else "failed; why is sealed"
    return verdict.reason
