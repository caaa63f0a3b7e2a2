"""Replies as what a script is known to answer: its comment says what that is."""

from typing import cast

from packhorse_redis.connection import Reply


def text(reply: Reply) -> bytes:
    """A reply that is a text."""
    return cast(bytes, reply)


def number(reply: Reply) -> int:
    """A reply that is an integer."""
    return cast(int, reply)


def items(reply: Reply) -> list[Reply]:
    """A reply that is a list."""
    return cast("list[Reply]", reply)
