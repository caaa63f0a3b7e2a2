"""A forked child shares the file with its parent, and nothing else."""

import os
import threading
from pathlib import Path

import pytest

from packhorse.plugin import Done, Group, Put
from packhorse_sql.driver import SqlDriver
from tests.forking import ended_well, in_child
from tests.unit.sql.opening import messages, open_driver, open_store, take


def send(driver: SqlDriver, body: bytes) -> None:
    """Sends one message, which must be stored."""
    assert driver.send(messages(body))[0].state == "stored"


def test_what_a_child_sends_outlives_the_parents_close(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    driver = open_driver(path)
    send(driver, b"parent")
    ready, go = os.pipe(), os.pipe()

    def work() -> None:
        driver.after_fork()
        send(driver, b"before")
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        send(driver, b"after")

    child = in_child(work)
    os.read(ready[0], 1)
    driver.close()  # would remove the log if the child's locks were not real
    os.write(go[1], b"x")
    assert ended_well(child)
    bodies = {each.message.body for each in take(open_driver(path).consumer("w"))}
    assert bodies == {b"parent", b"before", b"after"}


def test_the_parents_connections_go_on_after_a_childs_end(tmp_path: Path) -> None:
    driver, store = open_driver(tmp_path / "jobs.db"), open_store(tmp_path / "jobs.db")
    send(driver, b"x")
    consumer = driver.consumer("w")
    held = take(consumer)
    store.apply([Group([Put("key", b"parent")])])

    def work() -> None:
        driver.after_fork()
        store.after_fork()
        assert store.read(["key"]) == [b"parent"]
        store.apply([Group([Put("key", b"child")])])
        driver.close()
        store.close()

    assert ended_well(in_child(work))
    assert store.read(["key"]) == [b"child"]
    assert consumer.settle([Done(each) for each in held]) == ["applied"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_fork_in_the_middle_of_other_threads_writes(tmp_path: Path) -> None:
    driver = open_driver(tmp_path / "jobs.db")
    stop = threading.Event()
    sent = [0, 0, 0]

    def produce(place: int) -> None:
        while not stop.is_set():
            send(driver, b"parent")
            sent[place] += 1

    threads = [threading.Thread(target=produce, args=(place,)) for place in range(len(sent))]
    for thread in threads:
        thread.start()

    def work() -> None:
        driver.after_fork()
        for _ in range(5):
            send(driver, b"child")

    children = [in_child(work) for _ in range(5)]
    assert [ended_well(child) for child in children] == [True] * 5
    stop.set()
    for thread in threads:
        thread.join()
    assert driver.counts("q").ready == sum(sent) + 25
