"""A kept traceback begins where the user's code does."""

import pytest

from packhorse import InvalidPayload, Packhorse, job
from packhorse.worker.failure import failure


@job
def share(cents: int, people: int) -> int:
    return cents // people


def test_a_kept_traceback_has_no_frame_of_the_core() -> None:
    with Packhorse("memory://") as app:
        share.dispatch(100, 0)
        app.worker().run(stop_when_empty=True)
        [failed] = app.failed.list()
    frames = [line for line in failed.failures[0].traceback.splitlines() if "  File " in line]
    assert len(frames) == 1
    assert __file__ in frames[0]
    assert frames[0].endswith("in share")


def test_an_error_of_the_core_itself_keeps_its_frames() -> None:
    with pytest.raises(InvalidPayload) as raised:
        share.bind("100")  # type: ignore[arg-type, call-arg]
    error = raised.value
    error = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
    assert "function_job.py" in failure(error, 1, 0.0, "w").traceback
