"""Jobs that write down that they ran, and what they saw."""

from packhorse import JobContext, job

log: list[str] = []
"""What ran, in order; each test begins with an empty one."""

healed: set[str] = set()
"""Broken jobs of these names work now."""


class Broken(Exception):
    """What a broken job raises."""


@job(name="flow.step")
def step(name: str) -> None:
    log.append(name)


@job(name="flow.broken")
def broken(name: str = "broken") -> None:
    log.append(name)
    if name not in healed:
        raise Broken(f"{name} is broken")


@job(name="flow.called")
def called(ctx: JobContext, label: str) -> None:
    """A callback: says why it was called, and how the batch stands."""
    text = label
    if ctx.cause is not None:
        text += f" because of {ctx.cause.job}: {ctx.cause.reason}"
    if ctx.batch is not None:
        text += f" ({ctx.batch.state})"
    log.append(text)


@job(name="flow.says")
def says(ctx: JobContext, what: str) -> None:
    """Ends as it is told, once."""
    log.append(what)
    if what == "delete":
        ctx.delete()
    elif what == "fail":
        ctx.fail("as it was told")
    elif what == "release" and log.count("release") == 1:
        ctx.release(5.0)
