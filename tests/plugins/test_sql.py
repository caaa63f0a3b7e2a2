"""packhorse-sql as a plugin."""

import pytest

from packhorse.testing import PluginSuite

pytestmark = pytest.mark.backend("sqlite")


class TestSql(PluginSuite):
    forbidden = ("sqlalchemy", "packhorse_sql.driver")

    @pytest.fixture
    def plugin(self) -> str:
        return "sql"
