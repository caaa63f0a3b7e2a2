"""A thread that now and then mends batches in the store of the worker's connection."""

import logging
import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from packhorse.errors import ConnectionLost, StoreRequired
from packhorse.flow.sweep import EVERY, Sweep

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection

_log = logging.getLogger("packhorse.worker")


class Sweeper:
    """Sweeps twice a minute, one read while no batch is open; ends where there is no store."""

    def __init__(
        self,
        app: "Packhorse",
        connection: "Connection",
        worker: str,
        troubled: Callable[[Exception, float], None],
    ) -> None:
        self._sweep = Sweep(app.batches.tally(connection.name), worker)
        self._troubled = troubled
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="packhorse-sweep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _work(self) -> None:
        # Many workers that start together do not sweep together.
        pause = EVERY * random.random()
        while not self._stopping.wait(pause) and self.turn():
            pause = EVERY

    def turn(self) -> bool:
        """Sweeps once; False if there is no store to sweep."""
        try:
            self._sweep.run()
        except StoreRequired:
            return False
        except ConnectionLost as error:
            self._troubled(error, EVERY)
        except Exception:
            _log.exception("worker: a sweep of the batches failed")
        return True
