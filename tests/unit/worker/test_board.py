"""What a process writes down of the jobs that it runs, and what another reads."""

import subprocess
import sys
import threading

import pytest

from packhorse.ids import new_id
from packhorse.worker.board import Board, Running


def test_what_runs_is_there_until_it_leaves() -> None:
    board, file = Board.make(lines=3)
    with file:
        one, two = new_id(), new_id()
        first, second = board.enter(one, 1.0), board.enter(two, 2.0, kill_at=9.0)
        assert sorted(board.running()) == sorted(
            [Running(one, 1.0, float("inf")), Running(two, 2.0, 9.0)]
        )
        board.leave(first)
        assert board.running() == [Running(two, 2.0, 9.0)]
        board.leave(second)
        assert board.running() == []
        board.close()


def test_a_full_board_takes_no_more_and_breaks_nothing() -> None:
    board, file = Board.make(lines=1)
    with file:
        line = board.enter(new_id(), 1.0)
        assert board.enter(new_id(), 2.0) is None
        board.leave(None)
        board.leave(line)
        assert board.enter(new_id(), 3.0) is not None


def test_lines_are_never_given_twice_at_once() -> None:
    board, file = Board.make(lines=8)
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
    file.close()


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "os._exit(1)"])
def test_it_outlives_the_process_that_wrote_it(end: str) -> None:
    board, file = Board.make(lines=4)
    id = new_id()
    with file:
        program = f"""if True:
            import os, uuid
            from packhorse.worker.board import Board
            board = Board.inherited({file.fileno()})
            board.enter(uuid.UUID("{id}"), 6.0, 7.0)
            {end}
        """
        subprocess.run([sys.executable, "-c", program], pass_fds=[file.fileno()], check=False)
    assert board.last_beat() == 6.0
    assert board.running() == [Running(id, 6.0, 7.0)]
