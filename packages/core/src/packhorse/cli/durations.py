"""Durations as they are written on a command line."""

import re

import click

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|h|d|w|)"


def duration(text: str | float) -> float:
    """Seconds, of a number of them or of numbers with units: 90, 1.5s, 30m, 2h, 7d, 1h30m.

    Given to click as a type; it names the function in its help.
    """
    if isinstance(text, int | float):
        return float(text)
    plain = text.strip().lower()
    if not re.fullmatch(rf"({_PART}\s*)+", plain):
        raise click.BadParameter(f"{text!r} is no duration: write seconds, or 30m, 2h, 7d")
    return sum(float(amount) * _UNITS[unit] for amount, unit in re.findall(_PART, plain))
