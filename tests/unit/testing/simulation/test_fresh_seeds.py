"""A short simulation with seeds that nobody has tried; what it finds says how to run it again."""

import random

import pytest

from packhorse.driver.personality import PERSONALITIES
from packhorse.testing.simulation.__main__ import main

SIMULATIONS = 2


@pytest.mark.parametrize("like", PERSONALITIES)
def test_every_promise_is_kept(like: str, capsys: pytest.CaptureFixture[str]) -> None:
    seed = random.SystemRandom().randrange(10**9)
    for number in range(SIMULATIONS):
        code = main(["--seed", str(seed + number), "--like", like])
        assert code == 0, capsys.readouterr().err


def test_a_seed_decides_everything(capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for _ in range(2):
        assert main(["--seed", "7", "--like", "sqs"]) == 0
        told.append(capsys.readouterr().out.split(" jobs")[0])
    assert told[0] == told[1]
