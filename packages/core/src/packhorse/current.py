"""The current app: the only process-wide state beside the registry of jobs.

The first app that is made is the default, so that no library that makes one of its own can steal
it; `with app:` puts another in its place for a block.
"""

import contextvars
import os
import threading
import weakref
from typing import TYPE_CHECKING

from packhorse.errors import ConfigError

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.settings import Settings

_chosen: "contextvars.ContextVar[tuple[Packhorse, ...]]" = contextvars.ContextVar(
    "packhorse_app", default=()
)
_lock = threading.RLock()
_living: "weakref.WeakSet[Packhorse]" = weakref.WeakSet()
_default: "Packhorse | None" = None
_implicit = False
_alone = False


def current_app() -> "Packhorse":
    """The app of the enclosing `with app:`, else the default one, else one made from the environment.

    Raises `ConfigError` if there is nothing to make one from.
    """
    chosen = _chosen.get()
    return chosen[-1] if chosen else _default or _made()


def _made() -> "Packhorse":
    """The default app, made now if no other thread was quicker."""
    global _implicit
    from packhorse.app import Packhorse

    with _lock:
        if _default is None:
            Packhorse()
            _implicit = True
        assert _default is not None
        return _default


def default_app() -> "Packhorse | None":
    """The default app, None if no app was made yet."""
    return _default


def find_app(settings: "Settings") -> "Packhorse | None":
    """An app with these settings, None if none was made."""
    return next((app for app in list(_living) if app.settings == settings), None)


def run_alone() -> None:
    """Says that this process runs one job at a time for a worker, which is another process."""
    global _alone
    _alone = True


def is_alone() -> bool:
    """Whether this process runs jobs for a worker that is another process."""
    return _alone


def enrol(app: "Packhorse") -> None:
    """Called for each app that is made: the first becomes the default."""
    global _default
    with _lock:
        if _implicit and _default is not None:
            raise ConfigError(
                "jobs were dispatched before this app was made, through one made from the environment "
                f"({_default.settings.source}); make the app before the first dispatch"
            )
        _living.add(app)
        if _default is None:
            _default = app


def dismiss(app: "Packhorse") -> None:
    """Called for each app that is closed: the default one leaves its place to the next that is made."""
    global _default, _implicit
    if _default is app:
        _default, _implicit = None, False


def choose(app: "Packhorse") -> None:
    """Makes an app the current one in this thread or task, until `unchoose`."""
    _chosen.set((*_chosen.get(), app))


def unchoose() -> None:
    """Ends the last `choose`."""
    _chosen.set(_chosen.get()[:-1])


def _in_child() -> None:
    global _lock
    _lock = threading.RLock()  # another thread of the parent may have held the old one
    for app in list(_living):
        app.after_fork()


# A forked child (gunicorn's preload, multiprocessing) must not speak on its parent's sockets.
os.register_at_fork(after_in_child=_in_child)
