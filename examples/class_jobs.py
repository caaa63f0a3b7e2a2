"""Class jobs: options that depend on the arguments, progress over attempts, and a last word.

python examples/class_jobs.py
"""

from packhorse import Job, JobContext, Packhorse, exponential

app = Packhorse("memory://")


class Fetch(Job, tries=4, backoff=exponential(base=0.05, cap=1.0)):
    """Fails until the attempt that its host answers at."""

    url: str
    answers_at: int = 1

    def timeout(self) -> float:
        return 5.0 if self.url.startswith("https:") else 1.0

    def handle(self, ctx: JobContext) -> None:
        if ctx.attempt < self.answers_at:
            raise ConnectionError(f"no answer from {self.url}")
        print(f"{self.url} at attempt {ctx.attempt}")

    def failed(self, error: BaseException) -> None:
        print(f"{self.url} given up: {error}")


class FetchAll(Job):
    """A job that sends others."""

    urls: list[str]

    def handle(self) -> None:
        app.queue("pages").push_many([Fetch(url=url) for url in self.urls])


if __name__ == "__main__":
    Fetch(url="https://one.example/").dispatch()
    Fetch(url="https://two.example/", answers_at=3).dispatch()
    Fetch(url="https://never.example/", answers_at=99).using(tries=2).dispatch()
    FetchAll(urls=["https://three.example/", "https://four.example/"]).dispatch()
    app.worker(["default", "pages"], concurrency=1).run(stop_when_empty_for=0.5)
