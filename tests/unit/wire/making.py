"""Hypothesis strategies for what travels in a message."""

import json
from uuid import UUID

from hypothesis import strategies as st
from msgspec import Raw

from packhorse.wire.codec import Codec
from packhorse.wire.envelope import Body, Failure
from tests.unit.wire.codecs import KNOWN

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
"""Any Unicode but lone surrogates, which no UTF-8 can carry."""
moment = st.floats(0, 4e9, allow_nan=False)
counts = st.integers(0, 2**31 - 1)
json_value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(-1e300, 1e300) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=10,
)
raw = json_value.map(lambda value: Raw(json.dumps(value).encode()))
failures = st.lists(st.builds(Failure, counts, text, text, text, moment, text), max_size=5)
bodies = st.builds(
    Body,
    args=st.dictionaries(text, json_value, max_size=4).map(lambda d: Raw(json.dumps(d).encode())),
    ser=text,
    overrides=st.dictionaries(text, raw, max_size=3),
    until=st.none() | moment,
    expires=st.none() | moment,
    tags=st.lists(text, max_size=3).map(tuple),
    context=st.dictionaries(text, raw, max_size=3),
    failures=failures.map(tuple),
)
ids = st.integers(0, 2**128 - 1).map(lambda number: UUID(int=number))
chosen: st.SearchStrategy[list[Codec]] = st.lists(
    st.sampled_from([KNOWN["toy"], KNOWN["reversed"]]), max_size=3
)
