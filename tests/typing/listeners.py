"""Events: a listener gets the class that it listens to."""

from packhorse import Packhorse, events


def listen(app: Packhorse) -> None:
    @app.on(events.JobFailed)
    def failed(event: events.JobFailed) -> None:
        print(event.reason, event.error, event.attempt)

    @app.on(events.JobEvent)
    def about_a_job(event: events.JobEvent) -> None: ...

    @app.on(events.JobFailed)
    def wide(event: events.Event) -> None: ...

    app.on(events.JobProcessed)(lambda event: print(event.result))
    app.on(events.JobProcessed)(lambda event: print(event.reason))  # type: ignore[attr-defined]

    @app.on(events.JobFailed)  # type: ignore[arg-type]
    def another(event: events.JobProcessed) -> None: ...

    @app.on(events.JobEvent)  # type: ignore[arg-type]
    def narrow(event: events.JobFailed) -> None: ...

    app.on(int)  # type: ignore[type-var]
