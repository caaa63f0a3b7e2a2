"""What a process finds out about a job that it is given: its code, its app, its message."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location

from packhorse import last_resort
from packhorse.app import Packhorse
from packhorse.current import find_app
from packhorse.definition import Definition
from packhorse.driver.message import Delivery, Message
from packhorse.errors import PackhorseError
from packhorse.middleware.guard import is_guard
from packhorse.registry import find
from packhorse.wire.seal import open_envelope
from packhorse.worker.execution import Execution
from packhorse.worker.failure import text_of
from packhorse.worker.interruption import Interruption
from packhorse.worker.isolated.frames import Birth, Task
from packhorse.worker.isolated.place import Place
from packhorse.worker.passage import Passage
from packhorse.worker.policy import Policies
from packhorse.worker.site import Site


def settle_in(birth: Birth) -> str | None:
    """Imports what the worker has imported by name; what stands in the way."""
    sys.path[:] = birth.path
    if birth.pythonpath is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = birth.pythonpath
    broken = _tried(lambda: [import_module(name) for name in birth.imports])
    if birth.manner is not None:
        last_resort.install(birth.manner)
    return broken


def _tried(step: Callable[[], object]) -> str | None:
    try:
        step()
    except BaseException as error:  # whatever the code of a module does
        return (
            "the process of its own could not import what it needs: "
            f"{type(error).__name__}: {text_of(error)}"
        )
    return None


def opened(birth: Birth, task: Task) -> Execution:
    """The delivery, opened as the worker has opened it; raises what stands in the way."""
    envelope = open_envelope(task.body)
    definition = find(envelope.job) or _imported(envelope.job, task.place)
    app = find_app(birth.settings) or Packhorse(config=birth.settings)
    connection = app.connection(birth.connection)
    site = Site(
        birth.worker,
        app,
        connection,
        Policies(birth.flags),
        connection.known_codecs(),
        app.wiring.middleware,
        connection.require_store,
        Interruption(),
    )
    message = Message(task.id, task.queue, task.body)
    delivery = Delivery(message, task.token, task.deliveries, task.reserved_at, task.arrived)
    execution = Execution(site, delivery, envelope, definition, task.arrived)
    execution.open()
    if execution.body is None:
        raise PackhorseError("the message cannot be opened in the process of its own")
    return execution


def _imported(job: str, place: Place) -> Definition:
    if place.file is None:
        import_module(place.module)
    else:
        spec = spec_from_file_location(place.module, place.file)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[place.module] = module = module_from_spec(spec)
        spec.loader.exec_module(module)
    found = find(job)
    if found is None:
        raise PackhorseError(
            f"the process of its own has imported {place.module}, and finds no job {job!r} there"
        )
    return found


def leave_guards_out(execution: Execution) -> None:
    """The worker has led it through its guards, and leads it out again; raises what its method raises."""
    inner = tuple(one for one in execution.middleware() if not is_guard(one))
    execution.passage = Passage(execution.context, (), inner)
