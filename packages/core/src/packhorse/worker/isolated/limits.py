"""The limits of a process in which a job runs alone: set before an attempt, lifted after it."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from packhorse.options import Isolation

# Linux counts what a process may write to; elsewhere only its whole address space can be limited.
_MEMORY = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS


@contextmanager
def limited(limits: Isolation) -> Iterator[None]:
    """Only the soft limits are set, so that they can be lifted again."""
    wanted = _wanted(limits)
    before = {kind: resource.getrlimit(kind) for kind in wanted}
    try:
        for kind, limit in wanted.items():
            hard = before[kind][1]
            if hard != resource.RLIM_INFINITY:
                limit = min(limit, hard)
            resource.setrlimit(kind, (limit, hard))
        yield
    finally:
        for kind, limit_before in before.items():
            resource.setrlimit(kind, limit_before)


def _wanted(limits: Isolation) -> dict[int, int]:
    wanted: dict[int, int] = {}
    if limits.memory is not None:
        wanted[_MEMORY] = limits.memory * 1024 * 1024
    if limits.files is not None:
        wanted[resource.RLIMIT_NOFILE] = limits.files
    if limits.cpu is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        wanted[resource.RLIMIT_CPU] = int(used.ru_utime + used.ru_stime + 0.5) + limits.cpu
    return wanted
