"""What a decision was made of is kept with it, and decides the same again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wallet.deciding import DeciderFact, StayNote
from wallet.errors import KeyReused
from wallet.facts import Posterior, SightingFact
from wallet.fingerprint import body_hash
from wallet.reading_facts import ReadingFact, Said
from wallet.replaying import decide_again, recorded
from wallet.rules import Rules

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
PLATE = "粤B12345"
SAID = Said(PLATE, 9_000, tuple(((c, 998_000), ("8", 900)) for c in PLATE))
READING = ReadingFact(START, "blue", 800_000, 500_000, SAID, Said(None, 1_000_000, ()))
CORNERS = ((10, 20), (60, 20), (60, 36), (10, 36))
OLD = SightingFact("s1", "demo", "lane-1", "1", START, START + timedelta(seconds=2), PLATE, "blue", 500, 8)
NEW = replace(OLD, readings=(READING,), plate_corners=CORNERS)
SURE = Posterior(((PLATE, 999_500),), 500)
# What `body_hash` gave for OLD before sightings had readings: a camera may repeat it across the change.
HASH_OF_OLD = body_hash(
    {
        "sighting_id": "s1",
        "station": "demo",
        "camera": "lane-1",
        "pump": "1",
        "first_seen_at": START,
        "last_seen_at": START + timedelta(seconds=2),
        "text": PLATE,
        "colour": "blue",
        "wrong_ppm": 500,
        "looks": 8,
        "positions": [],
        "evidence_frame": None,
        "evidence_crop": None,
        "detector_model": None,
        "reader_model": None,
    }
)


def decider(name: str, rules: Rules) -> DeciderFact:
    return DeciderFact(name, "c" * 64, {"hold_fen": rules.hold_fen}, {"prior_customer_ppm": 500_000}, START)


def test_a_sighting_without_readings_has_the_hash_it_always_had(forecourt):
    assert body_hash(OLD) == HASH_OF_OLD
    assert body_hash(NEW) != HASH_OF_OLD


def test_readings_come_out_as_they_went_in_and_are_bound_by_their_hash(forecourt):
    forecourt.customer(PLATE)
    forecourt.wallet.arrive(NEW, SURE, START)
    kept = forecourt.wallet.proof.readings("s1")
    assert (kept.readings, kept.corners, kept.reading_count) == ((READING,), CORNERS, 1)
    assert kept.readings_sha256 == body_hash([NEW.readings, NEW.plate_corners])
    assert forecourt.wallet.arrive(NEW, SURE, START).repeated
    with pytest.raises(KeyReused):
        forecourt.wallet.arrive(replace(NEW, readings=()), SURE, START)


def test_an_older_camera_sends_no_readings_and_is_decided_the_same(forecourt):
    forecourt.customer(PLATE)
    assert forecourt.wallet.arrive(OLD, SURE, START).match.outcome == "auto"
    assert forecourt.wallet.proof.readings("s1") is None


def test_what_decided_is_kept_with_the_match(forecourt):
    account = forecourt.customer(PLATE, 12_345)
    rules = forecourt.wallet.rules
    forecourt.wallet.proof.decide_as(decider("d1", rules))
    first = forecourt.arrive(PLATE, sighting_id="s1")
    forecourt.arrive(PLATE, seconds=5, sighting_id="s2")
    by, inputs = forecourt.wallet.proof.inputs("s1")
    assert by == "d1"
    assert forecourt.wallet.proof.decider("d1") == decider("d1", rules)
    assert [(one.plate, one.account_id, one.colour) for one in inputs.bound] == [(PLATE, account, "blue")]
    assert (inputs.available_fen, inputs.for_hold_fen, inputs.stay) == (12_345, 12_345, None)
    _, second = forecourt.wallet.proof.inputs("s2")
    assert second.stay == StayNote(first.visit.id, "open", 12_345)


@pytest.mark.parametrize(
    ("plate", "wrong_ppm", "candidates", "outcome"),
    [
        (PLATE, 500, None, "auto"),
        (PLATE, 30_000, None, "review"),
        ("粤B12346", 500, ((PLATE, 400_000),), "review"),
        ("京A00001", 500, (), "none"),
        (None, 1_000_000, (), "review"),
    ],
)
def test_a_decision_made_again_from_what_was_kept_is_the_same(
    forecourt, plate, wrong_ppm, candidates, outcome
):
    forecourt.customer(PLATE)
    wallet = forecourt.wallet
    match = forecourt.arrive(plate, wrong_ppm=wrong_ppm, candidates=candidates, sighting_id="s").match
    _, inputs = wallet.proof.inputs("s")
    again = decide_again(wallet.sighting("s"), match.posterior, inputs, wallet.rules)
    assert (again, again.outcome) == (recorded(match), outcome)


def test_stays_and_empty_wallets_are_decided_the_same_again(forecourt):
    forecourt.customer(PLATE)
    forecourt.customer("粤B99999", 0)
    wallet = forecourt.wallet
    for name, plate in (("s1", PLATE), ("s2", PLATE), ("s3", "粤B99999")):
        match = forecourt.arrive(plate, seconds=int(name[1]), sighting_id=name).match
        _, inputs = wallet.proof.inputs(name)
        assert decide_again(wallet.sighting(name), match.posterior, inputs, wallet.rules) == recorded(match)
    assert [reason.code for reason in match.reasons] == ["insufficient_balance"]


def test_rules_in_the_shadow_decide_and_move_nothing(forecourt):
    account = forecourt.customer(PLATE)
    strict = Rules(auto_ceiling_ppm=100)
    forecourt.wallet.proof.decide_as(decider("d1", Rules()), decider("d2", strict), strict)
    assert forecourt.arrive(PLATE, sighting_id="s1").match.outcome == "auto"
    assert forecourt.wallet.balance(account).held_fen == Rules().hold_fen
    [row] = forecourt.wallet.proof.shadows()
    assert (row.sighting_id, row.shadow_id, row.outcome, row.hold_fen) == ("s1", "d2", "review", 0)
