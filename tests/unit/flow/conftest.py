"""The brokers on which chains and batches are tried, each under a worker in slow motion."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.flow.log import log
from tests.unit.flow.rig import Rig

LIKE = ("memory", "sqs", "sqs-fifo", "beanstalkd", "cluster")
SQLITE = pytest.param("sqlite", marks=pytest.mark.backend("sqlite"))


@pytest.fixture(params=[*LIKE, SQLITE])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    log.clear()
    rig = Rig(request.param, tmp_path)
    yield rig
    rig.close()
