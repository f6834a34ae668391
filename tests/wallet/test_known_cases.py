"""Known cases look like any item, score who answers them, and move no money."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import func, select

from wallet.errors import InvalidFact, SightingUnknown
from wallet.review_facts import Given
from wallet.tables import holds, outbox, sightings, transfers, visits

NUMBERS = itertools.count(1)
PLATE, OTHER = "粤B00001", "粤B00007"


@pytest.fixture
def plant(forecourt):
    """Plants a case made of the sighting `old`; gives its id."""
    forecourt.customer(PLATE)
    forecourt.customer(OTHER)
    forecourt.arrive(PLATE, sighting_id="old")

    def give(right, suggestion=PLATE, seconds=1_000, key=None):
        planted = forecourt.wallet.reviewing.plant(
            "old",
            suggestion,
            right,
            key=key or f"plant-{next(NUMBERS)}",
            actor="boss",
            now=forecourt.at(seconds),
        )
        return planted.case_id

    return give


def _queue(wallet, forecourt, who="li", seconds=1_010):
    return [row.review.id for row in wallet.reviewing.queue(who, forecourt.at(seconds))]


def _answer(wallet, forecourt, case, given, who="li"):
    return wallet.reviewing.answer(case, given, key=f"a-{next(NUMBERS)}", actor=who, now=forecourt.at(1_020))


def test_a_known_case_looks_like_an_item_of_now(wallet, forecourt, plant):
    case = plant(Given("correct", PLATE), suggestion=OTHER)
    (row,) = wallet.reviewing.queue("li", forecourt.at(1_010))
    assert (row.review.id, row.review.kind, row.review.state) == (case, "sighting", "open")
    assert (row.text, row.suggestion, row.review.reasons[0].code) == (PLATE, OTHER, "fuzzy_match")
    item = wallet.reviewing.item(case, "li", forecourt.at(1_010))
    assert item.allowed == ("confirm", "correct", "reject")
    assert item.sighting.last_seen_at == forecourt.at(1_000)
    assert item.people_needed == 1


@pytest.mark.parametrize(
    ("given", "is_right"),
    [
        (Given("correct", PLATE), True),
        (Given("correct", None), False),
        (Given("confirm"), False),
        (Given("reject"), False),
    ],
)
def test_every_answer_is_scored_and_none_moves_money(wallet, forecourt, plant, given, is_right):
    case = plant(Given("correct", PLATE), suggestion=OTHER)

    def rows():
        with wallet.engine.connect() as connection:
            return [
                connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (transfers, holds, visits, sightings, outbox)
            ]

    before = rows()
    done = _answer(wallet, forecourt, case, given)
    assert (done.state, done.is_right) == ("known", is_right)
    assert rows() == before
    assert wallet.reviewing.corrections() == []
    (score,) = wallet.reviewing.scores()
    assert (score.reviewer, score.right, score.wrong) == ("li", int(is_right), int(not is_right))


def test_each_person_answers_a_case_once_and_who_planted_it_not_at_all(wallet, forecourt, plant):
    case = plant(Given("confirm"))
    assert _queue(wallet, forecourt, "boss") == []
    _answer(wallet, forecourt, case, Given("confirm"))
    assert _queue(wallet, forecourt) == []
    assert _queue(wallet, forecourt, "wang") == [case]
    assert wallet.reviewing.item(case, "li", forecourt.at(1_030)).allowed == ()
    for who in ("li", "boss"):
        assert _answer(wallet, forecourt, case, Given("reject"), who).code == "already_answered"


def test_a_case_leaves_the_queue_after_a_day(wallet, forecourt, plant):
    case = plant(Given("confirm"))
    assert _queue(wallet, forecourt, seconds=1_000 + 86_399) == [case]
    assert _queue(wallet, forecourt, seconds=1_000 + 86_400) == []


def test_cases_stand_among_the_items_by_due_time_and_are_not_counted_as_waiting(wallet, forecourt, plant):
    forecourt.arrive(None, pump="7", seconds=990)
    case = plant(Given("confirm"))
    forecourt.arrive(None, pump="8", seconds=1_005)
    queue = _queue(wallet, forecourt)
    assert (len(queue), queue[1]) == (3, case)
    first = wallet.reviewing.queue("li", forecourt.at(1_010), limit=1)[0].review.id
    assert [row.review.id for row in wallet.reviewing.queue("li", forecourt.at(1_010), after=first)] == queue[
        1:
    ]
    after = wallet.reviewing.queue("li", forecourt.at(1_010), after=case)
    assert [row.review.id for row in after] == queue[2:]
    assert wallet.reviewing.waiting(forecourt.at(1_010)) == {"sighting": (2, 0)}


def test_planting_again_under_the_same_key_plants_once(wallet, forecourt, plant):
    assert plant(Given("confirm"), key="k") == plant(Given("confirm"), key="k")
    assert len(wallet.reviewing.known_cases()) == 1


def test_a_case_without_a_right_answer_is_refused(wallet, forecourt, plant):
    for right, suggestion in (
        (Given("reverse"), PLATE),
        (Given("confirm"), None),
        (Given("correct", PLATE), PLATE),
    ):
        with pytest.raises(InvalidFact):
            plant(right, suggestion)
    with pytest.raises(SightingUnknown):
        wallet.reviewing.plant("none", PLATE, Given("confirm"), key="k", actor="boss", now=forecourt.at(0))


def test_an_answer_that_fits_no_suggestion_is_rejected(wallet, forecourt, plant):
    case = plant(Given("reject"), suggestion=None)
    assert wallet.reviewing.item(case, "li", forecourt.at(1_010)).allowed == ("correct", "reject")
    assert _answer(wallet, forecourt, case, Given("confirm")).code == "action_not_possible"
