"""What holds for each unit test: it leaves the process-wide state as it found it."""

import pytest

from packhorse import current, registry


@pytest.fixture(autouse=True)
def process_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that a test defines are forgotten, and no test sees another's app."""
    monkeypatch.setattr(registry, "_jobs", dict(registry._jobs))
    monkeypatch.setattr(current, "_default", None)
    monkeypatch.setattr(current, "_implicit", False)
