"""`TimeUp`: what a handler is stopped with, and how it is recognised in what the handler made of it."""

import asyncio


class TimeUp(BaseException):
    """What is thrown into a handler at its time-out; reported as `JobTimedOut`."""


def was_stopped(error: BaseException | None) -> bool:
    """Whether an exception is what a handler made of being stopped."""
    for _ in range(100):  # a chain may be a ring
        if error is None or isinstance(error, TimeUp | asyncio.CancelledError):
            break
        error = error.__cause__ or error.__context__
    return isinstance(error, TimeUp | asyncio.CancelledError)
