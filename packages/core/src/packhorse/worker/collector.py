"""The pace of Python's garbage collector in a process that is there to run jobs."""

import gc

YOUNG = 10_000
"""New objects after which the youngest are looked through; Python looks after 700 to 2,000."""


def collect_seldom() -> None:
    """Lets the garbage collector look for cycles more seldom; a slower pace of the user's stays.

    What waits for its turn in a worker is young, much and alive, so that most passes over it find
    nothing, and each holds up all threads: a fifth of the rate at which jobs that do nothing drain.
    Memory that no cycle holds is freed at once, as always. Counts for the whole process, so it is
    for a process that is a worker, not for one that has a worker in it.
    """
    young, *older = gc.get_threshold()
    if 0 < young < YOUNG:  # 0: somebody has turned it off
        gc.set_threshold(YOUNG, *older)
