"""Every hook of packhorse: when it is asked, what to return, and a whole example of each.

A plugin is a module with some of these, and an entry point of the group `packhorse` names it:

    [project.entry-points.packhorse]
    carrier = "packhorse_carrier.plugin"

All hooks declare: each returns a list of small frozen specs with import strings, and is asked once,
when an app is built, in the thread that builds it. What a spec names is imported when it is used.
A plugin module therefore imports nothing but `packhorse.plugin`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import pluggy

if TYPE_CHECKING:
    from packhorse.plugin.specs import (
        CheckSpec,
        CodecSpec,
        CommandSpec,
        DispatchingSpec,
        DriverSpec,
        ListenerSpec,
        MiddlewareSpec,
        SerializerSpec,
        ServiceSpec,
        SettingSpec,
        StoreSpec,
        TypeSpec,
    )

GROUP: Final = "packhorse"

hookspec: Final = pluggy.HookspecMarker(GROUP)
hookimpl: Final = pluggy.HookimplMarker(GROUP)

# Named in the configuration, each by its scheme or name


@hookspec
def packhorse_drivers() -> Sequence[DriverSpec]:  # type: ignore[empty-body]
    """Returns the drivers that this plugin brings, one for each URL scheme.

    A driver is used by every connection whose URL has its scheme. The class is imported when the
    first such connection is opened.

        from packhorse.plugin import DriverSpec, hookimpl

        @hookimpl
        def packhorse_drivers():
            return [DriverSpec("carrier", "packhorse_carrier.driver:CarrierDriver", contract=1)]
    """


@hookspec
def packhorse_stores() -> Sequence[StoreSpec]:  # type: ignore[empty-body]
    """Returns the stores that this plugin brings, one for each URL scheme.

    A store is used by connections of its scheme, and by connections that name such a URL or such a
    connection as their `store`. What `load` names is called with `(url, setup)` and returns a
    `Store`.

        from packhorse.plugin import StoreSpec, hookimpl

        @hookimpl
        def packhorse_stores():
            return [StoreSpec("carrier", "packhorse_carrier.store:CarrierStore", contract=1)]
    """


@hookspec
def packhorse_serializers() -> Sequence[SerializerSpec]:  # type: ignore[empty-body]
    """Returns the serializers that this plugin brings.

    One is used by connections that say `serializer = "NAME"`. It is a subclass of `Serializer` that
    is made without arguments.

        from packhorse.plugin import SerializerSpec, hookimpl

        @hookimpl
        def packhorse_serializers():
            return [SerializerSpec("cbor", "packhorse_cbor.serializer:CborSerializer", contract=1)]
    """


@hookspec
def packhorse_codecs() -> Sequence[CodecSpec]:  # type: ignore[empty-body]
    """Returns the codecs that this plugin brings.

    One is used by connections and jobs that say `codecs = ["NAME"]`. What `load` names is called
    with the table `[NAME]` of the settings, a mapping, and returns a `Codec`.

        from packhorse.plugin import CodecSpec, hookimpl

        @hookimpl
        def packhorse_codecs():
            return [CodecSpec("zstd", "packhorse_zstd.codec:ZstdCodec", contract=1)]
    """


@hookspec
def packhorse_settings() -> Sequence[SettingSpec]:  # type: ignore[empty-body]
    """Returns the tables of settings that this plugin reads.

    The tables of a plugin that is active (it is listed in `plugins`, or the configuration names its
    driver, store, serializer or codec) are checked against `model`, a `msgspec.Struct`, when the
    app is built; a table that no active plugin declares is an error. The checked one is
    `app.wiring.tables["NAME"]`.

        from packhorse.plugin import SettingSpec, hookimpl

        @hookimpl
        def packhorse_settings():
            return [SettingSpec("zstd", "packhorse_zstd.settings:ZstdSettings")]
    """


# Active for a plugin that is listed in `plugins`


@hookspec
def packhorse_types() -> Sequence[TypeSpec]:  # type: ignore[empty-body]
    """Returns types that may stand in a job's annotations, and how each travels.

    `encode(value)` returns something JSON-able, `decode(type, value)` the value again; it raises
    `ValueError` for what does not fit. Both are called in the thread that dispatches or runs.

        from packhorse.plugin import TypeSpec, hookimpl

        @hookimpl
        def packhorse_types():
            return [
                TypeSpec(
                    type="shapely:Point",
                    encode="packhorse_shapes.types:to_pair",
                    decode="packhorse_shapes.types:from_pair",
                )
            ]
    """


@hookspec
def packhorse_middleware() -> Sequence[MiddlewareSpec]:  # type: ignore[empty-body]
    """Returns middleware that goes round every attempt of every job.

    Each is a generator function of a `JobContext`: what stands before its `yield` runs before the
    handler, in the handler's thread, and the handler's exception is raised at the `yield`.
    Returning before it skips the handler. Lower `order` is further out; equal ones are sorted by
    plugin and name. One that asks the store is marked with `packhorse.middleware.guard`.

        from packhorse.plugin import MiddlewareSpec, hookimpl

        @hookimpl
        def packhorse_middleware():
            return [MiddlewareSpec("timed", "packhorse_timing.middleware:timed", order=10)]
    """


@hookspec
def packhorse_dispatching() -> Sequence[DispatchingSpec]:  # type: ignore[empty-body]
    """Returns generator functions that go round every push.

    Each gets the list of `Push`es that are about to be sent, in the thread that dispatches; they
    are sent where it yields, and what it raises before that stops them. What a worker sends while
    it settles passes by: the next link of a chain, a batch's callbacks. Lower `order` comes first;
    equal ones are sorted by plugin and name.

        from packhorse.plugin import DispatchingSpec, hookimpl

        @hookimpl
        def packhorse_dispatching():
            return [DispatchingSpec("stamp", "packhorse_stamp.dispatching:stamp")]
    """


@hookspec
def packhorse_listeners() -> Sequence[ListenerSpec]:  # type: ignore[empty-body]
    """Returns listeners to events.

    Each is called with an event of one of the named classes of `packhorse.events`, in the thread
    that the class's docstring names; what it raises is logged and harms nothing.

        from packhorse.plugin import ListenerSpec, hookimpl

        @hookimpl
        def packhorse_listeners():
            return [ListenerSpec("pager", "packhorse_pager.listen:page", events=("JobFailed",))]
    """


@hookspec
def packhorse_services() -> Sequence[ServiceSpec]:  # type: ignore[empty-body]
    """Returns services that live as long as a worker.

    What `load` names is called with the app when a worker starts, in the worker's main thread; the
    object that it returns has `start()`, called before the first reservation, and `stop()`, called
    after the last settlement.

        from packhorse.plugin import ServiceSpec, hookimpl

        @hookimpl
        def packhorse_services():
            return [ServiceSpec("schedule", "packhorse_schedule.service:Scheduler")]
    """


@hookspec
def packhorse_commands() -> Sequence[CommandSpec]:  # type: ignore[empty-body]
    """Returns commands for the command line, as `packhorse NAME`.

    What `load` names is a `click.Command`, imported when it is called; `summary` is its line in
    `packhorse --help`.

        from packhorse.plugin import CommandSpec, hookimpl

        @hookimpl
        def packhorse_commands():
            return [CommandSpec("stats", "packhorse_stats.cli:stats", summary="Show the rates.")]
    """


@hookspec
def packhorse_checks() -> Sequence[CheckSpec]:  # type: ignore[empty-body]
    """Returns checks that `packhorse doctor` makes.

    What `load` names is called with the app and returns a list of `CheckResult`.

        from packhorse.plugin import CheckSpec, hookimpl

        @hookimpl
        def packhorse_checks():
            return [CheckSpec("carrier", "packhorse_carrier.doctor:check")]
    """
