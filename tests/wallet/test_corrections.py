"""A misreading that a person corrected debits no wrong account again, and is a labelled sample."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from wallet.facts import Posterior
from wallet.review_facts import Given

NUMBERS = itertools.count(1)
WRONG, RIGHT = "粤B00001", "粤B00008"


@pytest.fixture
def see(forecourt):
    """A sure sighting of what reads as WRONG; each is a stay of its own."""

    def give(camera="lane-1", text=WRONG, crop=None, plate=None):
        number = next(NUMBERS)
        fact = replace(
            forecourt.sighting(text, f"p{number}", number * 20_000), camera=camera, evidence_crop=crop
        )
        posterior = Posterior(((plate or text, 999_500),), 500)
        return forecourt.wallet.arrive(fact, posterior, fact.last_seen_at)

    return give


@pytest.fixture
def say(forecourt):
    """Answers the item about a sighting."""

    def give(arrival, action, plate=None):
        wallet = forecourt.wallet
        (item,) = [one for one in wallet.reviews() if one.sighting_id == arrival.match.sighting_id]
        return wallet.reviewing.answer(
            item.id, Given(action, plate), key=f"k-{next(NUMBERS)}", actor="li", now=arrival.match.decided_at
        )

    return give


def _debit_wrong(forecourt, arrival):
    """The car pays, and a person says that it was another."""
    wallet = forecourt.wallet
    sighting = wallet.sighting(arrival.match.sighting_id)
    sale = forecourt.sale(9_000, sighting.pump, 0, 10)
    sale = replace(sale, started_at=sighting.last_seen_at, ended_at=sighting.last_seen_at)
    assert wallet.record_sale(sale, sale.ended_at).captured_fen == 9_000
    return wallet.reviewing.reverse_visit(
        arrival.visit.id,
        Given("reverse", RIGHT),
        key=f"r-{next(NUMBERS)}",
        actor="li",
        now=sale.ended_at,
    )


@pytest.fixture
def corrected(forecourt, see):
    """WRONG was debited for a car that was RIGHT, and got its money back; gives its account."""
    account = forecourt.customer(WRONG)
    forecourt.customer(RIGHT)
    assert _debit_wrong(forecourt, see(crop="c" * 64)).ended_as == "reversed"
    return account


def test_the_same_reading_at_the_same_camera_goes_to_a_person(wallet, forecourt, see, corrected):
    again = see()
    assert (again.match.outcome, again.visit) == ("review", None)
    assert [reason.code for reason in again.match.reasons] == ["corrected_before"]
    assert wallet.balance(corrected).held_fen == 0


def test_the_same_look_goes_to_a_person_at_any_camera(see, corrected):
    assert see(camera="lane-2", crop="c" * 64).match.outcome == "review"


def test_other_cameras_and_other_plates_go_on_as_before(see, corrected):
    assert see(camera="lane-2").match.outcome == "auto"
    assert see(text=RIGHT).match.outcome == "auto"


def test_enough_confirmations_make_it_trusted_again_and_one_correction_ends_that(
    wallet, forecourt, see, say, corrected
):
    for number in range(3):
        arrival = see()
        assert arrival.match.outcome == "review", number
        assert f"{number} of 3" in arrival.match.reasons[0].text
        assert say(arrival, "confirm").ended_as == "visit_opened"
    trusted = see()
    assert trusted.match.outcome == "auto"
    assert _debit_wrong(forecourt, trusted).ended_as == "reversed"
    assert see().match.outcome == "review"


def test_a_corrected_item_is_remembered_too(wallet, forecourt, see, say):
    forecourt.customer(WRONG)
    forecourt.customer(RIGHT)
    doubtful = see(text="粤B0000I", plate=WRONG)
    assert say(doubtful, "correct", RIGHT).plate == RIGHT
    (sample,) = wallet.reviewing.corrections()
    assert (sample.text, sample.plate, sample.verdict, sample.label) == ("粤B0000I", WRONG, "wrong", RIGHT)


def test_a_reversal_for_another_reason_says_nothing_of_the_reading(wallet, forecourt, see):
    forecourt.customer(WRONG)
    arrival = see()
    sighting = wallet.sighting(arrival.match.sighting_id)
    sale = replace(
        forecourt.sale(9_000, sighting.pump), started_at=sighting.last_seen_at, ended_at=sighting.last_seen_at
    )
    wallet.record_sale(sale, sale.ended_at)
    given = Given("reverse", is_misread=False, reason="the pump counted twice")
    wallet.reviewing.reverse_visit(arrival.visit.id, given, key="k", actor="li", now=sale.ended_at)
    assert wallet.reviewing.corrections() == []
    assert see().match.outcome == "auto"


def test_every_verdict_is_a_labelled_sample_in_order(wallet, forecourt, see, say, corrected):
    say(see(crop="d" * 64), "confirm")
    say(see(), "correct", None)
    found = wallet.reviewing.corrections()
    assert [(one.verdict, one.label) for one in found] == [
        ("wrong", RIGHT),
        ("right", WRONG),
        ("wrong", None),
    ]
    assert [one.evidence_crop for one in found] == ["c" * 64, "d" * 64, None]
    assert wallet.reviewing.corrections(after=found[0].id) == found[1:]
    assert {(one.station, one.camera, one.decided_by) for one in found} == {("demo", "lane-1", "li")}


def test_who_moves_a_limit_needs_more_or_fewer_confirmations(forecourt, see, corrected, database_url, engine):
    from wallet.rules import Rules
    from wallet.service import open_wallet

    forecourt.wallet = open_wallet(database_url, Rules(confirmations_needed=0), engine=engine)
    assert see().match.outcome == "auto"
