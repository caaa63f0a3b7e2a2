"""Jobs that are hard on their process: that cannot be stopped, leave others behind, or lose its lease."""

import ctypes
import os
import re
import socket
import subprocess
import threading
import time

from packhorse import JobContext, job
from tests.integration.jobs import write

TIMEOUT = 0.3
HELD: list[bytearray] = []


@job(max_losses=1000)
def is_hunted(ctx: JobContext, number: int, seconds: float) -> None:
    """May lose its process as often as it happens."""
    write("start", number, ctx.deliveries)
    time.sleep(seconds)
    write("end", number, ctx.deliveries)


@job
def fails_the_first_time(ctx: JobContext, number: int, seconds: float) -> None:
    """Only the first of its deliveries is slow, and fails."""
    write("start", number, ctx.deliveries)
    if ctx.deliveries == 1:
        time.sleep(seconds)
        write("end", number, ctx.deliveries)
        raise ValueError("too late to count")
    write("end", number, ctx.deliveries)


@job
def leaves_a_fork_behind(ctx: JobContext, number: int) -> None:
    """Its process dies, and a fork of it lives on with all that it had open."""
    write("start", number, ctx.deliveries)
    if ctx.deliveries == 1:
        if os.fork() == 0:
            time.sleep(20)
        os._exit(3)
    write("end", number, ctx.deliveries)


@job
def leaves_a_program_behind(ctx: JobContext, number: int) -> None:
    write("start", number, ctx.deliveries)
    if ctx.deliveries == 1:
        subprocess.Popen(["sleep", "20"], close_fds=False)
        os._exit(3)
    write("end", number, ctx.deliveries)


@job
def leaves_a_thread_behind(ctx: JobContext, number: int) -> None:
    """A thread for which the interpreter waits at its end."""
    write("start", number, ctx.deliveries)
    threading.Thread(target=time.sleep, args=(60,), daemon=False).start()
    write("end", number, ctx.deliveries)


@job
def grows(ctx: JobContext, number: int, megabytes: int) -> None:
    write("start", number, ctx.deliveries)
    HELD.append(bytearray(os.urandom(1024)) * 1024 * megabytes)
    write("end", number, ctx.deliveries)


@job(timeout=TIMEOUT)
def sleeps(number: int) -> None:
    time.sleep(60)


@job(timeout=TIMEOUT)
def reads_a_socket(number: int) -> None:
    one, _other = socket.socketpair()
    one.recv(1)


@job(timeout=TIMEOUT)
def waits_for_a_lock(number: int) -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


@job(timeout=TIMEOUT)
def catches_everything(number: int) -> None:
    while True:
        try:
            while True:
                time.sleep(0.01)
        except BaseException:
            pass


@job(timeout=TIMEOUT, soft_timeout=False)
def is_not_interrupted(number: int) -> None:
    while True:
        time.sleep(0.01)


@job(timeout=TIMEOUT)
def holds_the_interpreter(number: int) -> None:
    ctypes.PyDLL(None).sleep(60)


@job(timeout=TIMEOUT)
def runs_away(number: int) -> None:
    re.match(r"(a+)+$", "a" * 60 + "b")
