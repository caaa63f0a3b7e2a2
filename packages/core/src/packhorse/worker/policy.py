"""Which policy holds for one message: `using`, then the job's method or keyword, worker flags, default."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from packhorse.definition import Definition
from packhorse.errors import InvalidPayload, PackhorseError
from packhorse.options import RUN, OptionSet, check
from packhorse.worker.attempt import Policy


class Policies:
    """Resolves policies; those that depend on no message are made once a job."""

    def __init__(self, flags: OptionSet) -> None:
        self.flags = flags
        self._fixed: dict[tuple[Definition, bool], Policy] = {}

    def of(
        self, definition: Definition, arguments: Struct, overrides: Mapping[str, Raw], until: bool
    ) -> Policy:
        """The policy for one message; `until` says that it carries a `retry_until`.

        Raises `InvalidPayload` for overrides that are no options, and what a method raises.
        """
        if not overrides and not definition.computes(RUN):
            key = (definition, until)
            if key not in self._fixed:
                self._fixed[key] = self._resolve(
                    lambda name: getattr(definition.options, name), until
                )
            return self._fixed[key]
        over = read_overrides(definition.name, overrides)

        def said(name: str) -> Any:
            value = getattr(over, name)
            if value is not UNSET:
                return value
            if name == "backoff" and name in definition.methods:
                return lambda failures: definition.methods["backoff"](arguments, failures)
            return definition.option(name, arguments)

        return self._resolve(said, until)

    def _resolve(self, said: Callable[[str], Any], until: bool) -> Policy:
        def value(name: str, default: Any) -> Any:
            for found in (said(name), getattr(self.flags, name)):
                if found is not UNSET and found is not None:
                    return found
            return default

        once = value("at_most_once", False)
        backoff = value("backoff", 0.0)
        return Policy(
            tries=1 if once else value("tries", 0 if until else 1),
            backoff=tuple(backoff) if isinstance(backoff, list) else backoff,
            timeout=value("timeout", 60.0),
            soft_timeout=value("soft_timeout", True),
            fail_on_timeout=value("fail_on_timeout", False),
            max_losses=0 if once else value("max_losses", 3),
            isolate=value("isolate", False),
            keep_result=value("keep_result", 0.0),
        )


def read_overrides(job: str, overrides: Mapping[str, Raw]) -> OptionSet:
    """Overrides out of a message; raises `InvalidPayload` for what are no options."""
    try:
        given = msgspec.json.decode(msgspec.json.encode(overrides))
        return check("the message", given, message=True)
    except (ValueError, RecursionError, PackhorseError) as error:
        raise InvalidPayload(f"job {job}: wrong options in the message: {error}") from error
