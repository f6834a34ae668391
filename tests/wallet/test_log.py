"""What operators and other processes are shown: the match log, visits, reviews, sightings, the outbox."""

from __future__ import annotations

import pytest

from wallet.errors import ReviewUnknown, VisitUnknown


@pytest.fixture
def day(wallet, forecourt):
    """Three cars: one pays, one is doubtful, one is a stranger."""
    forecourt.customer("粤B00001")
    forecourt.customer("粤B00002")
    forecourt.arrive("粤B00001", pump="1", seconds=0, sighting_id="s1")
    forecourt.sell(20_000, pump="1")
    forecourt.arrive("粤B00009", pump="2", seconds=100, sighting_id="s2", candidates=(("粤B00002", 900_000),))
    forecourt.arrive("京A99999", pump="3", seconds=200, sighting_id="s3")
    return forecourt


def _ids(rows):
    return [row.match.sighting_id for row in rows]


def test_the_log_shows_sighting_decision_visit_and_money_together(wallet, day):
    rows = wallet.matches()
    assert _ids(rows) == ["s3", "s2", "s1"]
    paid = rows[2]
    assert (paid.sighting.text, paid.match.outcome, paid.visit_state, paid.visit_end) == (
        "粤B00001", "auto", "captured", "captured",
    )  # fmt: skip
    assert (paid.hold_fen, paid.captured_fen, paid.sale_id is not None) == (40_000, 20_000, True)
    assert (rows[0].visit_state, rows[0].hold_fen, rows[0].sale_id) == (None, 0, None)


def test_the_log_is_filtered_and_paged(wallet, day):
    assert _ids(wallet.matches(outcome="review")) == ["s2"]
    assert _ids(wallet.matches(plate="粤B00002")) == ["s2"]
    assert _ids(wallet.matches(plate="粤B00009")) == ["s2"]
    assert _ids(wallet.matches(station="demo", limit=1)) == ["s3"]
    assert wallet.matches(station="elsewhere") == []
    assert _ids(wallet.matches(since=day.at(103))) == ["s3", "s2"]
    assert _ids(wallet.matches(until=day.at(103))) == ["s1"]
    assert _ids(wallet.matches(before="s3")) == ["s2", "s1"]
    assert _ids(wallet.matches(before="s3", limit=1, plate="粤B00001")) == ["s1"]
    assert wallet.matches(before="nobody") == []


def test_sightings_keep_every_character_they_came_with(wallet, day):
    newest = wallet.sightings()[0]
    assert newest.sighting_id == "s3"
    assert newest.positions[0] == (("京", 999_000),)
    assert wallet.sighting("s1").first_seen_at == day.at(0)
    assert wallet.sighting("nobody") is None
    assert [s.sighting_id for s in wallet.sightings(before="s2")] == ["s1"]
    assert [s.sighting_id for s in wallet.sightings(camera="lane-1", station="demo", limit=1)] == ["s3"]


def test_visits_and_reviews_are_found_by_id_and_filter(wallet, day):
    (visit,) = wallet.visits(state="captured")
    assert wallet.visits(station="demo", plate="粤B00001", account_id=visit.account_id) == [visit]
    assert wallet.visits(before=visit.id) == []
    (item,) = wallet.reviews()
    assert (item.kind, item.sighting_id, item.amount_fen) == ("sighting", "s2", 40_000)
    assert wallet.review(item.id) == item
    assert (
        wallet.reviews(state="closed") == wallet.reviews(station="x") == wallet.reviews(before=item.id) == []
    )
    with pytest.raises(VisitUnknown):
        wallet.visit("nobody")
    with pytest.raises(ReviewUnknown):
        wallet.review("nobody")


def test_everything_that_happened_is_in_the_outbox_in_its_order(wallet, forecourt):
    forecourt.customer("粤B12345")
    forecourt.arrive("粤B12345", sighting_id="s1")
    forecourt.sell(20_000)
    forecourt.arrive("粤B12345", seconds=5_000)
    forecourt.sell(0, started=5_010)
    events = wallet.outbox.pending(100)
    assert [event.kind for event in events] == [
        "recharge_credited", "hold_placed", "match_made", "captured", "hold_placed", "match_made", "voided",
    ]  # fmt: skip
    assert events[3].body["captured_fen"] == 20_000
    assert [event.id for event in events] == sorted(event.id for event in events)


def test_a_refused_request_tells_nobody_anything(wallet, forecourt):
    forecourt.customer("粤B12345")
    forecourt.arrive("粤B12345", sighting_id="s1")
    before = wallet.outbox.pending(100)
    with pytest.raises(Exception, match="s1"):
        forecourt.arrive("粤B12345", pump="9", sighting_id="s1")
    assert wallet.outbox.pending(100) == before
