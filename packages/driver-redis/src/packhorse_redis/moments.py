"""Moments and spans of time on the server: microseconds."""

_SECOND = 1_000_000
_LONGEST = 1e9
"""Seconds, thirty years: what lasts longer lasts so long."""


def span(seconds: float) -> int:
    """A length of time in microseconds."""
    return round(min(seconds, _LONGEST) * _SECOND)


def seconds(span: float) -> float:
    """A moment, or a length of time, in seconds."""
    return span / _SECOND
