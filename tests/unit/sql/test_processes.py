"""Several processes on one file: nothing is lost, nothing doubled, and nobody hears of locks."""

import time
from collections import Counter
from functools import partial
from pathlib import Path
from subprocess import Popen

from packhorse.plugin import Done
from packhorse.testing import Running, eventually
from tests.unit.sql.opening import finished, messages, open_driver, start, take

SEND = """
import sys
from pathlib import Path
from tests.unit.sql.opening import messages, open_driver
driver = open_driver(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    driver.send(messages(f"{sys.argv[2]}-{number}".encode()))
driver.close()
"""

WORK = """
import sys
from pathlib import Path
from packhorse.plugin import Done
from tests.unit.sql.opening import open_driver, take
driver = open_driver(Path(sys.argv[1]))
consumer = driver.consumer(sys.argv[2])
while True:
    deliveries = take(consumer, 10, 1)
    for delivery in deliveries:
        print(delivery.message.body.decode())
    assert consumer.settle([Done(each) for each in deliveries]) == ["applied"] * len(deliveries)
    if any(delivery.message.body == b"stop" for delivery in deliveries):
        break
"""


def has_left(workers: list[Popen[str]], left: int) -> bool:
    """Are so many of the workers still running?"""
    return sum(each.poll() is None for each in workers) == left


def test_senders_and_workers_in_processes_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    driver = open_driver(path)
    workers = [start(WORK, path, f"worker-{number}") for number in range(2)]
    senders = [start(SEND, path, name, 150) for name in ("a", "b")]
    for sender in senders:
        finished(sender)
    eventually(lambda: driver.counts("q").ready == 0, within=30)
    for left in (1, 0):
        # The one that takes it ends, so each of them gets one.
        driver.send(messages(b"stop"))
        eventually(partial(has_left, workers, left), within=30)
    done = Counter(line for worker in workers for line in finished(worker).split())
    assert done.pop("stop") == 2
    assert done == Counter(f"{name}-{number}" for name in "ab" for number in range(150))


def test_a_message_from_another_process_wakes_a_reservation(tmp_path: Path) -> None:
    driver = open_driver(tmp_path / "jobs.db")
    consumer = driver.consumer("w")
    take(consumer)
    waiting = Running(take, consumer, 1, 60)
    finished(start(SEND, tmp_path / "jobs.db", "x", 1))
    assert len(waiting.answer(5)) == 1


def test_an_idle_reservation_needs_no_lock_and_next_to_no_time(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    driver = open_driver(path, lock_timeout=0.1)
    consumer = driver.consumer("w")
    take(consumer)
    holder = open_driver(path)

    def hold() -> tuple[list[object], float]:
        began = time.thread_time()
        return [*take(consumer, 10, 2)], time.thread_time() - began

    def inside(_: object) -> tuple[list[object], float]:
        return Running(hold).answer(20)

    # Within somebody's transaction, which a reservation that wanted to write would wait for.
    found, used = holder._database.write(inside)
    assert found == []
    assert used / 2 < 0.015
    driver.send(messages(b"x"))
    assert consumer.settle([Done(each) for each in take(consumer)]) == ["applied"]
