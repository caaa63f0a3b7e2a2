"""What a worker died of, kept in the store for the records of the jobs that it was running."""

from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

from packhorse.errors import JobCrashed, PackhorseError
from packhorse.store.contract import Group, Put
from packhorse.worker.attempt import Bury, Verdict
from packhorse.worker.reaper import Remains, told

if TYPE_CHECKING:
    from packhorse.connection import Connection
    from packhorse.worker.execution import Execution
    from packhorse.worker.supervised import Died

KEPT = 7 * 86_400.0
"""Seconds for which it is kept."""


def leave(connection: "Connection", died: "Died") -> None:
    """Writes down of what a process died, for each job that it was running, where there is a store."""
    text = f"worker {died.name} was {told(Remains(died.code, died.memory))}, while it ran this job"
    if died.killed:
        text += f"; its supervisor killed it, because {died.killed}"
    groups = [
        Group([Put(_key(id), text.encode(), KEPT)], partition=_key(id)) for id in died.running
    ]
    with suppress(PackhorseError):
        connection.store.apply(groups)


def add(execution: "Execution", verdict: Verdict) -> Verdict:
    """The verdict on a job that was lost too often, with what its last worker died of."""
    if not isinstance(verdict, Bury) or verdict.error is not None:
        return verdict
    with suppress(PackhorseError):
        (data,) = execution.site.connection.store.read([_key(execution.delivery.message.id)])
        if isinstance(data, bytes):
            error = JobCrashed(f"job {execution.envelope.job}: {data.decode('utf-8', 'replace')}")
            return Bury(verdict.reason, error)
    return verdict


def _key(id: UUID) -> str:
    return f"lost:{id}"
