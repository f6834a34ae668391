"""The simulated forecourt keeps every rule, replays exactly, and finds bugs that are planted."""

from __future__ import annotations

import json
import time

import pytest

from api.commands.failures import CommandError
from api.commands.simulate_forecourt import bug_named, missed_bugs, missed_in_plans
from api.simulation.bugs import BUGS
from api.simulation.forecourt import MOST_SEEDS, find_bugs, play, run_forecourt, shortest, workplace
from api.simulation.forecourt_plan import make_plan
from wallet import settling

# One of each kind; `platepay simulate --bugs` plants them all.
QUICK_BUGS = ("rest-stays-held", "near-is-same", "reversal-keeps-money", "any-pump", "reserves-too-much")


@pytest.fixture(scope="module")
def place():
    with workplace() as folder:
        yield folder


@pytest.fixture(scope="module")
def played(place):
    return play(make_plan(3, 1), place)


def test_a_day_with_every_fault_breaks_no_rule(played):
    assert played.found is None
    assert played.debits > 5
    assert played.power_cuts > 0


def test_the_same_seed_plays_the_same_day(place, played):
    assert make_plan(3, 1) == make_plan(3, 1)
    assert make_plan(3, 1).steps != make_plan(4, 1).steps
    assert play(make_plan(3, 1), place) == played


def test_a_plan_has_every_kind_of_step_and_fault():
    steps = [step for seed in range(6) for step in make_plan(seed, 2).steps]
    kinds = {step.kind for step in steps}
    assert kinds >= {
        "sighting", "departure", "sale", "other sale", "order", "paid", "sweep", "clock", "unbind", "bind",
        "refund", "reverse", "void", "bonus", "adjust", "charge",
    }  # fmt: skip
    assert any(step.cut for step in steps)
    readings = {step.body["reading"] for step in steps if step.kind == "sighting"}
    assert readings == {"sure", "unsure", "near", "unreadable", "other colour", "misread"}


@pytest.mark.parametrize("name", QUICK_BUGS)
def test_a_planted_bug_is_found_within_the_stated_seeds(place, name):
    (row,) = find_bugs([bug_named(name)], 1, 2, place, time.monotonic() + 600, lambda: None)
    assert row["seeds"] is not None
    assert row["seeds"] <= MOST_SEEDS


def test_a_planted_bug_is_gone_afterwards():
    before = settling.capture
    with bug_named("rest-stays-held").planted():
        assert settling.capture is not before
    assert settling.capture is before


def test_a_found_bug_replays_exactly_and_shrinks_to_few_steps(place):
    with bug_named("void-stays-held").planted():
        plan = make_plan(1, 1)
        found = play(plan, place).found
        assert found is not None
        assert play(plan, place).found == found
        steps = shortest(plan, place, found, time.monotonic() + 600)
        # Who it is and that its plate is bound, money, a car at a pump, and what ends its visit.
        assert len(steps) <= 6
        again = play(plan, place, steps).found
        assert again is not None
        assert again.rule == found.rule


def test_bugs_take_away_different_rules():
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    assert len({bug.breaks for bug in BUGS}) == len(BUGS)


def test_a_run_names_the_seed_and_the_rule_that_is_broken(place):
    with bug_named("rest-stays-held").planted():
        result = run_forecourt(1, 60, place, 1, lambda _: None)
    (missed,) = missed_in_plans(result)
    assert "seed 1" in missed
    assert "held_is_the_live_holds" in missed
    json.dumps(result)


def test_a_bug_that_was_not_found_is_named():
    row = {"bug": "x", "breaks": "y", "seeds": None, "rule": None, "what": None}
    assert "planted bug x" in missed_bugs({"bugs": [row], "most_seeds": 12})[0]


def test_an_unknown_bug_is_refused_with_the_names_there_are():
    with pytest.raises(CommandError, match="rest-stays-held"):
        bug_named("nothing")
