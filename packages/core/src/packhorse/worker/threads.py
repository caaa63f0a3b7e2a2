"""The worker's own threads: daemons, in which the worker's app is the current one."""

import contextvars
import threading
from collections.abc import Callable


def thread(name: str, work: Callable[[], None]) -> threading.Thread:
    """A thread, not started yet, in the context and so with the app of whoever made it."""
    run = contextvars.copy_context().run
    return threading.Thread(target=run, args=(work,), name=f"packhorse-{name}", daemon=True)
