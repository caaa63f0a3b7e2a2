"""Workers in threads of the test's own process, and looks at what they left."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from packhorse import Packhorse
from packhorse.driver.abilities import Clears, Lists
from packhorse.testing import Running, eventually
from packhorse.worker.worker import Report, Worker


@contextmanager
def working(
    app: Packhorse, queues: Sequence[str] | None = None, *, concurrency: int = 8
) -> Iterator[Worker]:
    """A worker that runs in another thread until the block ends."""
    worker = app.worker(queues, concurrency=concurrency)
    running = Running(worker.run)
    try:
        yield worker
    finally:
        worker.stop()
        running.answer(within=20)


def drain(app: Packhorse, queues: Sequence[str] | None = None, *, concurrency: int = 8) -> Report:
    """Works off all that is due, in a thread, so that a worker that hangs fails the test."""
    worker = app.worker(queues, concurrency=concurrency)
    running = Running(worker.run, stop_when_empty=True)
    try:
        return running.answer(within=30)
    finally:
        worker.stop()


def becomes_empty(app: Packhorse, queue: str | None = None, within: float = 10.0) -> None:
    """Waits until a queue holds nothing, neither ready nor delayed nor reserved."""
    eventually(lambda: app.queue(queue).size() == 0, within=within)


def lists(app: Packhorse) -> bool:
    """Whether the broker can show what it holds."""
    driver: object = app.connection().driver
    return isinstance(driver, Lists)


def clears(app: Packhorse) -> bool:
    """Whether the broker can clear a queue."""
    driver: object = app.connection().driver
    return isinstance(driver, Clears)


def state_of(app: Packhorse, id: UUID) -> str:
    """The state of a message, by a broker that lists."""
    driver: object = app.connection().driver
    assert isinstance(driver, Lists)
    found = driver.get([id])[0]
    return "gone" if found is None else found.state
