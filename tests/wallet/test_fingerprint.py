"""The hash of a body is the same whichever way it is written, and the same as it always was."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet import fingerprint
from wallet.facts import Sale, SightingFact
from wallet.fingerprint import LEFT_OUT_IF_EMPTY, body_hash, canonical

AT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(minutes=-30))])
TIMES = st.datetimes(timezones=ZONES).filter(lambda moment: 1 < moment.year < 9999)
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.text())
VALUES = st.one_of(
    PLAIN,
    TIMES,
    st.lists(PLAIN),
    st.recursive(st.tuples(PLAIN), lambda inner: st.tuples(inner, PLAIN, inner)),
)


@dataclass(frozen=True)
class Body:
    """The names are not in the order of the alphabet."""

    text: object
    b: object
    a: object
    later: object = field(default=(), metadata=LEFT_OUT_IF_EMPTY)


@settings(max_examples=500)
@given(VALUES, VALUES, VALUES, VALUES)
def test_a_body_is_hashed_alike_whichever_way_it_is_written(one, other, third, later):
    body = Body(one, other, third, later)
    assert body_hash(body) == hashlib.sha256(canonical(body).encode("utf-8", "strict")).hexdigest()


@settings(max_examples=500)
@given(st.dictionaries(st.text(), VALUES))
def test_a_mapping_is_hashed_alike_whichever_way_and_in_whichever_order_it_is_written(body):
    assert body_hash(body) == hashlib.sha256(canonical(body).encode("utf-8", "strict")).hexdigest()
    assert body_hash(body) == body_hash(dict(reversed(body.items())))


def test_the_body_of_a_charge_is_written_the_fast_way_with_the_hash_of_before():
    body = {"account_id": "a1", "station": "喵 \x7f", "amount_fen": 10, "purpose": 'wash "2"'}
    written = fingerprint._written_fast(body)
    assert written is not None
    assert written.decode() == canonical(body)
    assert body_hash(body) == "babf081b3e0abd7c0f1774231aca5670cc853cd52667f0e050ad4114b4d38940"


def test_names_that_are_no_text_become_text_as_before():
    assert body_hash({1: "x", 2: None}) == body_hash({"1": "x", "2": None})


def test_a_sighting_and_a_sale_are_written_the_fast_way_with_the_hashes_of_before():
    position = (("粤", 999_000), ("琼", 900))
    seen = SightingFact("s", "demo", 'c "1"\n', None, AT, AT, "粤B12345", "blue", 500, 8, (position,) * 7)
    sale = Sale("a", "demo", "2", "92", 5_000, 1_000, 5_000, AT, AT)
    for body in (seen, sale):
        written = fingerprint._written_fast(body)
        assert written is not None
        assert written.decode() == canonical(body)
    assert body_hash(sale) == "d27f18e42b258a419aea457a2422b4c9e90cf76cc6ab03e3e686f481d015920c"
    assert body_hash(seen) == "b5a824e868bae378e6fe9e5188afc3aebbdcafad4a5e15b7a90994cdd4d257b6"


def test_a_number_with_a_fraction_that_is_no_number_is_refused_as_before():
    with pytest.raises(ValueError, match="Out of range"):
        body_hash(Body(float("nan"), 1, 2))
