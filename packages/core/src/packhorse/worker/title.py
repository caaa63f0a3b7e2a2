"""What this process is called where `ps -o comm` and `top` show it: on Linux; elsewhere nothing changes."""

import ctypes
import sys
from contextlib import suppress

_SET_NAME = 15
"""Of `prctl`: names the calling thread, and with the main one the process, in up to 15 bytes."""


def entitle(state: str) -> None:
    """Calls the process `packhorse:STATE`; to be called in the main thread."""
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):  # a C library without it: the name stays
        ctypes.CDLL(None).prctl(_SET_NAME, f"packhorse:{state}".encode(), 0, 0, 0)
