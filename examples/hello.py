"""The smallest program: one file, a SQLite file, a worker in the same process.

    python examples/hello.py

It leaves hello.db in the current folder.
"""

from packhorse import Packhorse, job

app = Packhorse("sqlite:///hello.db")


@job(tries=2)
def greet(name: str) -> None:
    if not name:
        raise ValueError("nobody to greet")
    print(f"Hello, {name}")


if __name__ == "__main__":
    greet.dispatch("mule")
    greet.dispatch("donkey")
    greet.dispatch("")

    report = app.worker().run(stop_when_empty=True)
    print(f"{report.jobs} attempts")

    for failed in app.failed.list():
        print(f"{failed.job} failed: {failed.failures[-1].message}")
    app.failed.flush()
