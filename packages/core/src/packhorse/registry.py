"""The process-wide registry of jobs: nothing runs that is not in it."""

import os
import sys

from packhorse.definition import Definition
from packhorse.errors import JobDefinitionError

_jobs: dict[str, Definition] = {}


def register(definition: Definition) -> None:
    """Puts a job under its name and aliases; raises `JobDefinitionError` if another holds one.

    A module that is loaded again, or imported while it runs as `__main__`, puts its jobs in place of
    its own earlier ones.
    """
    for name in (definition.name, *definition.aliases):
        holder = _jobs.get(name)
        if holder is not None and holder.origin != definition.origin:
            raise JobDefinitionError(
                f"two jobs are called {name!r}: {holder.origin} and {definition.origin}; "
                "give one of them another name="
            )
    for name in (definition.name, *definition.aliases):
        _jobs[name] = definition


def find(name: str) -> Definition | None:
    """The job of that name or alias, None if this process knows none."""
    return _jobs.get(name)


def names() -> list[str]:
    """The names of all jobs, sorted, without aliases."""
    return sorted({definition.name for definition in _jobs.values()})


def named_codecs() -> set[str]:
    """The codecs that jobs name in their options."""
    return {name for job in _jobs.values() for name in (job.options.codecs or ())}


def default_name(module: str, qualname: str) -> str:
    """Module and qualified name; a script that runs as `__main__` counts as a module by its file's name."""
    if module == "__main__":
        main = sys.modules["__main__"]
        spec = getattr(main, "__spec__", None)
        if spec is not None:
            module = spec.name.removesuffix(".__main__")
        elif file := getattr(main, "__file__", None):
            module = os.path.splitext(os.path.basename(file))[0]
    return f"{module}.{qualname}"
