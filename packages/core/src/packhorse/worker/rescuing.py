"""Gives back what a worker process held that has died; told by the supervisor to one that lives."""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from packhorse import events
from packhorse.driver.abilities import Rescues
from packhorse.errors import ConnectionLost
from packhorse.worker import evidence
from packhorse.worker.plan import trouble_pause

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.worker.supervised import Died


def take_over(
    app: "Packhorse",
    connection: "Connection",
    queues: Sequence[str],
    died: "Died",
    give_up: Callable[[], bool],
    troubled: Callable[[Exception, float], None],
) -> None:
    """Gives back what a dead process held, once its broker answers; only what it ran counts as lost."""
    evidence.leave(connection, died)  # before anybody can bury what was lost
    failures = 0
    while True:
        try:
            driver: object = connection.driver  # another one, if it is opened anew meanwhile
            if isinstance(driver, Rescues):
                driver.rescue(died.name, blamed=set(died.running))
            break
        except ConnectionLost as error:
            if give_up():
                break
            failures += 1
            pause = trouble_pause(failures, random.random())
            troubled(error, pause)
            time.sleep(pause)
    if app.bus.hears(events.WorkerCrashed):
        app.bus.emit(
            events.WorkerCrashed(
                worker=died.name,
                connection=connection.name,
                queues=queues,
                code=died.code,
                killed=died.killed,
                running=tuple(died.running),
            )
        )
    with suppress(Exception):  # whatever the store does: it is listed for half a minute more
        connection.control.forget(died.name)
