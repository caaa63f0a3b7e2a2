"""Prepared statements: what is given and what stands in the statement reach the client library."""

import pytest
import sqlalchemy as sa

from packhorse_sql.prepared import Prepared

WORDS = sa.Table(
    "words",
    sa.MetaData(),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("word", sa.String),
    sa.Column("note", sa.String),
)
ADD = WORDS.insert().values(n=sa.bindparam("n"), word=sa.bindparam("w"), note=None)
FIND = (
    sa.select(WORDS.c.word, WORDS.c.note)
    .where(sa.or_(WORDS.c.n == sa.bindparam("n"), WORDS.c.n == sa.bindparam("n") - 1))
    .where(WORDS.c.word != "secret")
    .order_by(WORDS.c.n)
    .limit(5)
)


@pytest.mark.parametrize("style", ["qmark", "named", "numeric"])
def test_parameters_in_order_and_by_name(style: str) -> None:
    engine = sa.create_engine("sqlite://", paramstyle=style)
    with engine.connect() as connection:
        WORDS.create(connection)
        add, find = Prepared(ADD), Prepared(FIND)
        for n, word in enumerate(["zero", "one", "secret", "three"]):
            assert add.run(connection, {"n": n, "w": word, "more": "than asked"}).rowcount == 1
        assert find.run(connection, {"n": 1}).fetchall() == [("zero", None), ("one", None)]
        assert find.run(connection, {"n": 3}).fetchall() == [("three", None)]
    engine.dispose()


def test_a_parameter_that_is_not_given_is_an_error() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        WORDS.create(connection)
        with pytest.raises(KeyError, match="w"):
            Prepared(ADD).run(connection, {"n": 1})
    engine.dispose()
