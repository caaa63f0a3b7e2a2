"""`Job`: a class that can be dispatched; its annotated names are the payload."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, Unpack, dataclass_transform

from msgspec import Struct

from packhorse.context import is_context
from packhorse.definition import Definition, refuse_generator, returned
from packhorse.errors import JobDefinitionError
from packhorse.options import FIXED, NAMES, Options, check
from packhorse.pending import Dispatchable, Pending
from packhorse.registry import default_name, register

if TYPE_CHECKING:
    from packhorse.handle import JobHandle

R = TypeVar("R")

_BY_METHOD = frozenset(NAMES - {"name", "aliases"}) | {"unique_id"}


class _JobMeta(type(Struct)):  # type: ignore[misc]
    """Takes the options off the class keywords, checks the class and registers it."""

    def __new__(
        meta, name: str, bases: tuple[type, ...], namespace: dict[str, Any], /, **keywords: Any
    ) -> Any:
        options = {key: keywords.pop(key) for key in list(keywords) if key not in _STRUCT_KEYWORDS}
        cls = super().__new__(meta, name, bases, namespace, **keywords)
        if bases[0] is not Struct and bases[0] is not _JobBase:
            _define(cls, namespace, options)
        return cls


_STRUCT_KEYWORDS = frozenset(
    {
        "forbid_unknown_fields",
        "frozen",
        "kw_only",
        "omit_defaults",
        "rename",
        "tag",
        "tag_field",
    }
)

if TYPE_CHECKING:

    @dataclass_transform()
    class _JobBase:
        definition: ClassVar[Definition]

        def __init_subclass__(
            cls, *, kw_only: bool = False, **options: Unpack[Options]
        ) -> None: ...

else:
    # A field that the class does not have (any more) must not be dropped without a word.
    class _JobBase(Struct, metaclass=_JobMeta, forbid_unknown_fields=True):
        pass


class Job(_JobBase):
    """The base of class jobs: write `handle`, and `failed` or option methods if you like.

    Options are class keywords: `class Resize(Job, queue="media", tries=3)`. An option that depends on
    the payload is a method of its name and wins over the keyword; `unique_id` gives the unique key.
    `prepare_for_dispatch(self, pending)` is called before each push; False stops it.
    A class without `handle` is a base for others and takes no messages. With `kw_only=True` its
    fields are given by name only, so that one without a default may follow others.
    """

    def dispatch(self) -> "JobHandle[object]":
        """Pushes the job; when it returns, the broker has it.

        Raises `InvalidPayload` for fields that do not fit, `ConnectionLost` if the broker is away.
        """
        return self._pending().dispatch()

    async def dispatch_async(self) -> "JobHandle[object]":
        """`dispatch` off the event loop."""
        return await self._pending().dispatch_async()

    def dispatch_sync(self) -> object:
        """Runs the job here through the whole attempt path: middleware, retries, events."""
        return self._pending().dispatch_sync()

    def using(self, **options: Unpack[Options]) -> Pending[object]:
        """The job with options for this message only."""
        return self._pending().using(**options)

    def _pending(self) -> Pending[object]:
        return pending(self)


def pending(job: Dispatchable[R]) -> Pending[R]:
    """A job as a value; raises `JobDefinitionError` for a class without `handle`."""
    if isinstance(job, Pending):
        return job
    definition = getattr(type(job), "definition", None)
    if not isinstance(definition, Definition):
        raise JobDefinitionError(
            f"{job!r} is no job: give a Job with a handle method, or job.bind(…) of an @job function"
        )
    return Pending(definition, job)  # type: ignore[arg-type]


def _define(cls: type, namespace: dict[str, Any], options: dict[str, Any]) -> None:
    origin = default_name(cls.__module__, cls.__qualname__)
    owner = f"job {origin}"
    fields = set(cls.__struct_fields__)  # type: ignore[attr-defined]
    _check_names(owner, fields, namespace)
    inherited: dict[str, Any] = {}
    for base in reversed(cls.__mro__[1:]):
        inherited |= {
            k: v
            for k, v in vars(base).get("_options", {}).items()
            if k not in FIXED - {"middleware"}
        }
    cls._options = inherited | options  # type: ignore[attr-defined]
    chosen = check(owner, cls._options)  # type: ignore[attr-defined]
    handle = inspect.getattr_static(cls, "handle", None)
    if handle is None:
        return
    if not inspect.isfunction(handle):
        raise JobDefinitionError(f"{owner}: handle must be an ordinary method, def handle(self)")
    refuse_generator(owner, handle)
    methods = {
        name: method
        for name in sorted(_BY_METHOD - fields)
        if (method := _method(owner, cls, name)) is not None
    }
    cls.definition = Definition(  # type: ignore[attr-defined]
        chosen.name or origin,
        origin,
        chosen,
        lambda: cls,
        _runner(owner, handle),
        is_async=inspect.iscoroutinefunction(handle),
        module=cls.__module__,
        methods=methods,
        on_failed=_method(owner, cls, "failed"),
        on_interrupted=_method(owner, cls, "interrupted"),
        prepare=_prepare(owner, cls),
        classes=cls.__mro__,
        returns=lambda: returned(handle, handle.__globals__),
    )
    register(cls.definition)  # type: ignore[attr-defined]


def _prepare(owner: str, cls: type) -> Callable[..., Any] | None:
    prepare = _method(owner, cls, "prepare_for_dispatch")
    if prepare is not None and len(inspect.signature(prepare).parameters) != 2:
        raise JobDefinitionError(
            f"{owner}: prepare_for_dispatch takes self and the pending job, nothing else"
        )
    return prepare


def _method(owner: str, cls: type, name: str) -> Callable[..., Any] | None:
    """A method that packhorse calls; raises `JobDefinitionError` for what only looks like one."""
    found = inspect.getattr_static(cls, name, None)
    if found is None:
        return None
    if not inspect.isfunction(found) or inspect.iscoroutinefunction(found):
        raise JobDefinitionError(f"{owner}: {name} must be an ordinary method, def {name}(self, …)")
    return found


def _check_names(owner: str, fields: set[str], namespace: dict[str, Any]) -> None:
    for field in fields:
        if field in _RESERVED:
            raise JobDefinitionError(
                f"{owner}: a field cannot be called {field!r}, a method of Job"
            )
    annotated = fields & namespace.get("__annotations__", {}).keys()
    for name, value in namespace.items():
        if name.startswith("_") or name in annotated or callable(value):
            continue
        if isinstance(value, property | classmethod | staticmethod):
            continue
        if name in NAMES:
            raise JobDefinitionError(
                f"{owner}: write the option as a keyword, class …(Job, {name}={value!r}), "
                f"or annotate {name!r} to make it part of the payload"
            )
        if name in fields:
            raise JobDefinitionError(
                f"{owner}: {name!r} is a field of a base class; annotate it to change its default"
            )


def _runner(owner: str, handle: Any) -> Any:
    parameters = list(inspect.signature(handle).parameters.values())
    if len(parameters) == 1:
        return lambda context, job: job.handle()
    if len(parameters) == 2 and is_context(parameters[1].annotation, handle.__globals__):
        return lambda context, job: job.handle(context)
    raise JobDefinitionError(
        f"{owner}: handle takes nothing but self and, if it likes, a JobContext annotated as such"
    )


_RESERVED = frozenset(
    {
        "dispatch",
        "dispatch_async",
        "dispatch_sync",
        "using",
        "handle",
        "failed",
        "interrupted",
        "middleware",
        "prepare_for_dispatch",
        "unique_id",
        "definition",
    }
)
