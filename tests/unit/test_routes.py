"""Routes: where jobs go that name no queue or connection themselves."""

from collections.abc import Mapping

import pytest

from packhorse import ConfigError, Job, JobHandle, Packhorse, batch, chain, job

CONNECTIONS = {
    "main": {"url": "memory://main", "queue": "usual"},
    "cloud": {"url": "memory://cloud", "queue": "clouds"},
}


def an_app(**routes: Mapping[str, str]) -> Packhorse:
    return Packhorse(config={"default": "main", "connections": CONNECTIONS, "routes": routes})


def place(handle: JobHandle[object]) -> tuple[str, str]:
    return handle.connection, handle.queue


class Slow:
    """Not a job: what job classes may derive from beside `Job`."""


class Report(Job):
    """A base of jobs."""


class Sales(Report, name="reports.sales"):
    def handle(self) -> None: ...


class Weekly(Sales, name="reports.weekly", aliases=["reports.old"]):
    def handle(self) -> None: ...


class Loud(Report, name="reports.loud", queue="loud", connection="main"):
    def handle(self) -> None: ...


@job(name="mail.send")
def send() -> None: ...


@job(name="mail.hurry", queue="hurry")
def hurry() -> None: ...


def test_a_job_goes_where_its_route_says() -> None:
    with an_app() as app:
        app.route(send, queue="mail", connection="cloud")
        assert place(send.dispatch()) == ("cloud", "mail")
        assert place(hurry.dispatch()) == ("main", "hurry")
        assert place(Sales().dispatch()) == ("main", "usual")


def test_the_nearest_base_class_wins_for_queue_and_connection_each() -> None:
    with an_app() as app:
        app.route(Job, queue="jobs", connection="cloud")
        app.route(Report, queue="reports")
        app.route(Weekly, queue="weekly")
        assert place(Sales().dispatch()) == ("cloud", "reports")
        assert place(Weekly().dispatch()) == ("cloud", "weekly")
        assert place(send.dispatch()) == ("main", "usual"), "a function derives from nothing"


def test_any_base_class_will_do() -> None:
    class Export(Slow, Job, name="export"):
        def handle(self) -> None: ...

    with an_app() as app:
        app.route(Slow, queue="slow")
        assert place(Export().dispatch()) == ("main", "slow")


def test_e7_what_is_said_nearer_wins_over_a_route() -> None:
    """`using`, the job's keyword and the queue that is pushed to; then the route, then the connection's."""
    with an_app() as app:
        app.route(Job, queue="routed", connection="cloud")
        assert place(Loud().dispatch()) == ("main", "loud")
        assert place(Sales().using(queue="now").dispatch()) == ("cloud", "now")
        assert place(Sales().using(connection="main").dispatch()) == ("main", "routed")
        assert place(app.queue("mine").push(Sales())) == ("main", "mine")


def test_a_method_wins_over_a_route() -> None:
    class Sized(Job, name="sized"):
        size: int

        def queue(self) -> str | None:
            return "large" if self.size > 9 else None

        def handle(self) -> None: ...

    with an_app() as app:
        app.route(Sized, queue="routed")
        assert place(Sized(10).dispatch()) == ("main", "large")
        assert place(Sized(1).dispatch()) == ("main", "routed")


def test_a_route_that_comes_later_counts() -> None:
    with an_app() as app:
        assert place(send.dispatch()) == ("main", "usual")
        app.route(send, queue="first")
        assert place(send.dispatch()) == ("main", "first")
        app.route(send, connection="cloud")
        assert place(send.dispatch()) == ("cloud", "first"), "each call says what it says"


def test_the_settings_route_by_name_and_by_module() -> None:
    routes = {
        "mail.*": {"queue": "mail"},
        "reports.*": {"queue": "reports", "connection": "cloud"},
        "reports.weekly": {"queue": "weekly"},
        "reports.s": {"queue": "no job's"},
    }
    with an_app(**routes):
        assert place(send.dispatch()) == ("main", "mail")
        assert place(Sales().dispatch()) == ("cloud", "reports")
        assert place(Weekly().dispatch()) == ("cloud", "weekly")


def test_the_longest_start_wins_and_an_alias_is_a_name() -> None:
    routes = {
        "reports.old": {"queue": "alias"},
        "reports.*": {"queue": "long"},
        "rep.*": {"queue": "no part of a name"},
        "reports.sales.*": {"queue": "nothing below it"},
    }
    with an_app(**routes):
        assert place(Weekly().dispatch()) == ("main", "alias")
        assert place(Sales().dispatch()) == ("main", "long")


def test_code_and_settings() -> None:
    """The more specific wins; of two as specific, the code, as keywords win over files everywhere."""
    with an_app(**{"reports.sales": {"queue": "by name"}, "reports.*": {"queue": "part"}}) as app:
        assert place(Weekly().dispatch()) == ("main", "part")
        app.route(Report, queue="base")
        assert place(Sales().dispatch()) == ("main", "by name")
        assert place(Weekly().dispatch()) == ("main", "base")
        app.route(Sales, queue="code")
        assert place(Sales().dispatch()) == ("main", "code")


def with_queues(**queues: str) -> Packhorse:
    return Packhorse(config={"default": "main", "connections": CONNECTIONS}, queues=queues)


def test_a23_a_queue_is_on_another_connection() -> None:
    """Whoever names the queue and no connection; what names none goes to the default one."""
    with with_queues(hurry="cloud", usual="cloud") as app:
        assert place(hurry.dispatch()) == ("cloud", "hurry")
        assert place(send.using(queue="hurry").dispatch()) == ("cloud", "hurry")
        assert place(app.push_many([send.using(queue="hurry").bind()])[0]) == ("cloud", "hurry")
        assert place(app.queue("hurry").push(send.bind())) == ("cloud", "hurry")
        assert place(app.queue("hurry").push_raw("nobody.knows", {})) == ("cloud", "hurry")
        assert app.queue("hurry").size() == 5
        assert place(send.dispatch()) == ("main", "usual")
        app.route(send, queue="hurry")
        assert place(send.dispatch()) == ("cloud", "hurry")


def test_a23_a_connection_that_is_named_wins_over_that_of_the_queue() -> None:
    with with_queues(loud="cloud", hurry="cloud") as app:
        assert place(Loud().dispatch()) == ("main", "loud")
        assert place(hurry.using(connection="main").dispatch()) == ("main", "hurry")
        assert place(app.queue("hurry", "main").push(send.bind())) == ("main", "hurry")
        app.route(send, connection="main", queue="hurry")
        assert place(send.dispatch()) == ("main", "hurry")


def test_links_and_members_go_where_each_would_go_alone() -> None:
    """By a route and by the queue that they, or the chain or batch, name; `using` wins over both."""
    with with_queues(hurry="cloud") as app:
        cloud, main = app.connection("cloud").driver, app.connection("main").driver
        app.route(Sales, connection="cloud", queue="sales")
        chain(Sales()).dispatch()
        batch([Sales(), hurry.bind()]).dispatch()
        chain(send.bind()).using(queue="hurry").dispatch()
        found = batch([send.bind()]).using(queue="hurry").dispatch()
        found.add([Sales()])
        assert (cloud.counts("sales", 9).ready, cloud.counts("hurry", 9).ready) == (3, 3)
        batch([Sales()], name="here").using(connection="main").dispatch()
        chain(Sales()).using(connection="main").dispatch()
        assert main.counts("sales", 9).ready == 2
        here = next(one for one in app.batches.list() if one.name == "here")
        assert here.add([Sales()]) == 1


def test_apps_have_routes_of_their_own() -> None:
    with an_app() as app, an_app() as other:
        app.route(send, queue="routed")
        assert place(app.dispatch(send.bind())) == ("main", "routed")
        assert place(other.dispatch(send.bind())) == ("main", "usual")


def test_a_route_that_cannot_be() -> None:
    with an_app() as app:
        with pytest.raises(ConfigError, match=r"no connection is called 'clod'; .*'cloud'"):
            app.route(send, connection="clod")
        with pytest.raises(ConfigError, match=r"says neither a queue nor a connection"):
            app.route(send)
        with pytest.raises(ConfigError, match=r"^route\(\) takes a job, a job class or a base"):
            app.route(Sales(), queue="x")  # type: ignore[arg-type]
        app.dispatch_sync(send.bind())


@pytest.mark.parametrize(
    ("routes", "error"),
    [
        ({"mail.send": {"quue": "x"}}, r"\[routes\], mail.send: .* 'quue'; did you mean 'queue'"),
        ({"mail.send": {"queue": 5}}, r"\[routes\], mail.send: queue: expected `str`, got `int`"),
        ({"mail.send": {"queue": ""}}, r"\[routes\], mail.send: queue: expected"),
        ({"mail.send": "mail"}, r"\[routes\]: mail.send must be a table, .* queue = \"mail\""),
        ({"mail.send": {}}, r"\[routes\], mail.send says neither a queue nor a connection"),
        ({"x": {"connection": "clod"}}, r"\[routes\], x: there is no connection 'clod'; .*'cloud'"),
    ],
)
def test_settings_that_cannot_be(routes: dict[str, dict[str, str]], error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        an_app(**routes)
