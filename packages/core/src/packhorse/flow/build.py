"""`chain(…)` and `batch(…)`: a program that calls neither imports nothing for them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packhorse.flow.batch import Members, PendingBatch
    from packhorse.flow.chain import PendingChain
    from packhorse.job import Job
    from packhorse.pending import Pending


def chain(*jobs: "Job | Pending[Any] | PendingBatch") -> "PendingChain":
    """Jobs, or batches, of which each is pushed by the settling of the one before it.

    Raises `JobDefinitionError` for what is neither.
    """
    from packhorse.flow.chain import PendingChain

    return PendingChain(jobs)


def batch(jobs: "Iterable[Members]", name: str = "") -> "PendingBatch":
    """Jobs that run side by side and are counted together; a generator is used up at the dispatch.

    An inner list is a chain.
    """
    from packhorse.flow.batch import PendingBatch

    return PendingBatch(jobs, name)
