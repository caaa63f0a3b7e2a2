"""What a process writes down of the jobs that it runs, and what another reads."""

import os
import subprocess
import sys
import threading
import time

import pytest

from packhorse.ids import new_id
from packhorse.testing import eventually
from packhorse.worker.board import NEVER, Board, Running


def _board(lines: int) -> Board:
    board, descriptor = Board.make(lines)
    os.close(descriptor)
    return board


def test_what_has_started_is_there_until_it_leaves() -> None:
    board = _board(lines=3)
    one, two = new_id(), new_id()
    first, second = board.enter(one, 1.0), board.enter(two, 2.0, 9.0, alone=True)
    assert sorted(board.running()) == sorted(
        [Running(one, 1.0, NEVER), Running(two, 2.0, 9.0, alone=True)]
    )
    board.leave(first)
    assert board.running() == [Running(two, 2.0, 9.0, alone=True)]
    board.is_over(second)
    assert board.running() == [Running(two, 2.0, NEVER, alone=True)]
    board.leave(second)
    assert board.running() == []
    board.close()


def test_a_full_board_takes_no_more_and_breaks_nothing() -> None:
    board = _board(lines=1)
    line = board.enter(new_id(), 1.0)
    none = board.enter(new_id(), 2.0)
    assert none is None
    board.is_over(none)
    board.leave(none)
    board.leave(line)
    assert board.enter(new_id(), 3.0) is not None


def test_lines_are_never_given_twice_at_once() -> None:
    board = _board(lines=8)
    clashes = []

    def work() -> None:
        for _ in range(500):
            id = new_id()
            line = board.enter(id, 1.0)
            if [one.id for one in board.running()].count(id) != 1:
                clashes.append(id)
            board.leave(line)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clashes == []
    assert board.running() == []


@pytest.mark.slow
def test_a_line_that_is_half_written_has_nobody_killed() -> None:
    """Another process writes as fast as it can jobs that may run for ever; none is ever overdue."""
    board, descriptor = Board.make(lines=4)
    program = f"""if True:
        import uuid
        from packhorse.worker.board import Board
        board, id = Board.inherited({descriptor}), uuid.uuid4()
        while True:
            line = board.enter(id, 1.0, 5e9)
            board.leave(line)
    """
    with subprocess.Popen([sys.executable, "-c", program], pass_fds=[descriptor]) as writer:
        eventually(board.running, within=10)
        end = time.monotonic() + 2.0
        while time.monotonic() < end:
            assert not any(0 < one.kill_at < 5e9 for one in board.running())
        writer.kill()
    os.close(descriptor)


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(1)"])
def test_it_outlives_the_process_that_wrote_it(end: str) -> None:
    board, descriptor = Board.make(lines=4)
    id = new_id()
    program = f"""if True:
        import os, uuid
        from packhorse.worker.board import Board
        board = Board.inherited({descriptor})
        board.enter(uuid.UUID("{id}"), 6.0, 7.0)
        board.beat(8.0)
        {end}
    """
    subprocess.run([sys.executable, "-c", program], pass_fds=[descriptor], check=False)
    os.close(descriptor)
    assert board.last_beat() == 8.0
    assert board.running() == [Running(id, 6.0, 7.0)]
