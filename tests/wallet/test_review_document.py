"""docs/review.md has every kind, action, end, rejection and number of the review."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import wallet
from wallet.money import format_yuan
from wallet.review_facts import ACTIONS, ALLOWED, allowed_for
from wallet.rules import Rules
from wallet.tables import review_ends, reviews

TEXT = (Path(__file__).parents[2] / "docs" / "review.md").read_text("utf-8")
RULES = Rules()


def _words(table, column):
    (check,) = [c for c in table.constraints if str(c.name).endswith(f"{column}_known")]
    return set(re.findall(r"'(\w+)'", str(check.sqltext)))


def test_every_kind_has_its_row_with_what_may_be_answered():
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|", TEXT, re.MULTILINE))
    assert {kind for kind in _words(reviews, "kind") if kind not in ALLOWED} == set()
    for kind, actions in ALLOWED.items():
        said = tuple(action for action in ACTIONS if action in rows[kind])
        assert said == allowed_for(kind, has_suggestion=True, has_paid=True) == actions, kind


def test_every_end_is_in_the_table():
    assert {word for word in _words(review_ends, "ended_as") if f"`{word}`" not in TEXT} == set()


def test_every_rejection_is_in_the_document():
    found = set()
    for name in ("review_actions", "review_ending", "visits", "reversals"):
        text = (Path(wallet.__file__).parent / f"{name}.py").read_text("utf-8")
        found |= set(re.findall(r'Rejected\(\s*"(\w+)"', text))
    assert len(found) > 10
    assert {code for code in found - {"not_reversible"} if f"`{code}`" not in TEXT} == set()


@pytest.mark.parametrize(
    "number",
    [
        f"{format_yuan(RULES.two_person_fen).removesuffix('.00')} yuan",
        f"{RULES.review_due_sighting_s} s",
        f"{RULES.review_due_sale_s:,} s",
        f"{RULES.review_due_s:,} s",
        f"{RULES.leave_grace_s} s",
        f"{RULES.longest_stay_s:,} s",
        f"{RULES.confirmations_needed} readings",
    ],
)
def test_the_numbers_are_those_of_the_rules(number):
    assert number in TEXT


def test_a_known_case_stands_for_a_day():
    assert RULES.known_case_s == 24 * 60 * 60
    assert "for a day" in TEXT
