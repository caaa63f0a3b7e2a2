"""What is logged where nobody configured logging: warnings, each as one line on stderr."""

import logging
import traceback


class OneLine(logging.Handler):
    """Stands in for `logging.lastResort`, so that handlers of the user's own win over it.

    Of an exception it shows type, text and place.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        from packhorse.cli.output import complain

        try:
            complain(f"{record.levelname.lower()}: {record.getMessage()}{_cause(record)}")
        except OSError:
            pass  # nobody reads stderr any more
        except Exception:
            self.handleError(record)


def _cause(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return ""
    place = ""
    for frame in traceback.extract_tb(error.__traceback__)[-1:]:
        place = f" ({frame.filename}, line {frame.lineno})"
    return f": {type(error).__name__}: {error}{place}"
