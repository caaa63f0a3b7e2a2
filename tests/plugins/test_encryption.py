"""packhorse-encryption as a plugin."""

import pytest

from packhorse.testing import PluginSuite


class TestEncryption(PluginSuite):
    forbidden = ("cryptography", "subprocess", "packhorse_encryption.codec")

    @pytest.fixture
    def plugin(self) -> str:
        return "encryption"
