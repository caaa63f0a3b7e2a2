"""A thread that renews what guards hold in the store, for as long as their jobs are in hand.

It is not the thread that renews leases: a store that is slow or away must not cost a lease.
"""

import logging
import random
import threading
from collections.abc import Callable

from packhorse.errors import ConnectionLost
from packhorse.worker.asking import keep
from packhorse.worker.hand import Hand
from packhorse.worker.plan import trouble_pause
from packhorse.worker.threads import thread

_log = logging.getLogger("packhorse.worker")


class Holder:
    """Renews three times a lease, `lease` in seconds; costs a glance where nothing is held."""

    def __init__(
        self, hand: Hand, lease: float, troubled: Callable[[Exception, float], None]
    ) -> None:
        self._hand = hand
        self._lease = lease
        self._troubled = troubled
        self._failures = 0
        self._stopping = threading.Event()
        self._thread = thread("hold", self._work)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _work(self) -> None:
        pause = self._lease / 3
        while not self._stopping.wait(pause):
            pause = self.turn()

    def turn(self) -> float:
        """Renews what is held; gives the seconds to pause before the next turn."""
        pause = self._lease / 3
        waiting = list(self._hand.unstarted.values())
        running = [one for one in list(self._hand.started.values()) if not one.lost]
        try:
            keep(waiting + running)
            self._failures = 0
        except ConnectionLost as error:
            self._failures += 1
            pause = min(pause, trouble_pause(self._failures, random.random()))
            self._troubled(error, pause)
        except Exception:  # a driver's bug must not end all renewing
            _log.exception("worker: renewing what middleware holds failed")
        return pause
