"""Forked children: what runs in one, and whether it went well."""

import os
import traceback
from collections.abc import Callable

from packhorse.testing import Running


def in_child(work: Callable[[], object]) -> int:
    """Forks and runs work in the child, which ends badly if that raises; the child's process id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return child


def ended_well(child: int, within: float = 20.0) -> bool:
    """Waits for a child."""
    _, status = Running(os.waitpid, child, 0).answer(within)
    return os.waitstatus_to_exitcode(status) == 0
