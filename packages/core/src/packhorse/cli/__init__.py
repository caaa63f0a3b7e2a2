"""The command line: `main` is what the console script calls."""

from packhorse.cli.program import main

__all__ = ["main"]
