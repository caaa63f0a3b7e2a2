"""packhorse-beanstalkd as a plugin."""

import pytest

from packhorse.testing import PluginSuite

pytestmark = pytest.mark.backend("beanstalkd")


class TestBeanstalkd(PluginSuite):
    forbidden = ("greenstalk", "packhorse_beanstalkd.driver")

    @pytest.fixture
    def plugin(self) -> str:
        return "beanstalkd"
