"""Each attempt has context variables of its own, whatever kind of job it is."""

import contextvars

import pytest

from packhorse import ConfigError, FunctionJob, Packhorse, job

tenant = contextvars.ContextVar("tenant", default="nobody")
seen: list[str] = []


@job
def work(name: str) -> None:
    seen.append(tenant.get())
    tenant.set(name)


@job
async def work_on_the_loop(name: str) -> None:
    seen.append(tenant.get())
    tenant.set(name)


@pytest.mark.parametrize("kind", [work, work_on_the_loop])
def test_what_one_job_sets_is_not_seen_by_the_next(
    kind: FunctionJob[[str], object, None],
) -> None:
    seen.clear()
    with Packhorse("memory://") as app:
        for name in ("acme", "globex"):
            kind.dispatch(name)
        app.worker(concurrency=1).run(stop_when_empty=True)
    assert seen == ["nobody", "nobody"]


def test_one_name_in_the_place_of_a_list_of_queues_is_refused() -> None:
    with Packhorse("memory://") as app, pytest.raises(ConfigError, match="give a list"):
        app.worker("mail")
