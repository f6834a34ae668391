"""docs/visits.md names every end of a visit, every reason, and the numbers as they are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import wallet
from wallet.money import format_yuan
from wallet.rules import Rules
from wallet.tables import reviews, visits

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "visits.md").read_text("utf-8")


def _words(table, column):
    (check,) = [c for c in table.constraints if str(c.name).endswith(f"{column}_known")]
    return set(re.findall(r"'(\w+)'", str(check.sqltext)))


def _reasons():
    """The codes of all reasons that the wallet can give."""
    found = set()
    for path in Path(wallet.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "Reason"
                and node.args
            ):
                code = node.args[0]
                if isinstance(code, ast.Constant):
                    found.add(code.value)
    return found


def test_every_end_of_a_visit_is_in_the_table():
    assert {word for word in _words(visits, "ended_by") if f"`{word}`" not in TEXT} == set()


def test_every_kind_of_review_is_in_the_table():
    # A doubtful sighting is told by its reasons.
    kinds = _words(reviews, "kind") - {"sighting"}
    assert {word for word in kinds if f"`{word}`" not in TEXT} == set()


def test_every_reason_is_in_the_table():
    assert len(_reasons()) > 10
    assert {code for code in _reasons() if f"`{code}`" not in TEXT} == set()


@pytest.mark.parametrize(
    "number",
    [
        f"{Rules().longest_stay_s:,} s",
        f"{Rules().leave_grace_s} s",
        f"{Rules().reentry_s} s",
        f"{Rules().captured_stay_s} s",
        f"{Rules().review_floor_ppm:,} ppm",
        f"{Rules().runner_up_floor_ppm:,} ppm",
        f"{Rules().auto_ceiling_ppm:,} ppm",
        f"{format_yuan(Rules().hold_fen).removesuffix('.00')} yuan",
        f"{format_yuan(Rules().minimum_hold_fen).removesuffix('.00')} yuan",
        f"{format_yuan(Rules().dispute_cost_fen).removesuffix('.00')} yuan dispute",
        f"{format_yuan(Rules().review_cost_fen).removesuffix('.00')} yuan a review",
    ],
)
def test_the_numbers_are_those_of_the_rules(number):
    assert number in TEXT
