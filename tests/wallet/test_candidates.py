"""Registered plates that a reading could be, found by index."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from wallet.plates import keys_of


def _reading(plate, **alternatives):
    """Positions with `alternatives` like p3="8": the fourth character could be an 8."""
    positions = [[(char, 990_000)] for char in plate]
    for place, char in alternatives.items():
        positions[int(place[1:])].append((char, 9_000))
    return positions


def _plates(wallet, positions):
    return [candidate.plate for candidate in wallet.candidates(positions)]


def test_the_plate_itself_comes_first_then_its_neighbours(wallet, forecourt):
    for plate in ("粤B12345", "粤B12346", "琼B12345", "粤B12399", "京A00001"):
        forecourt.customer(plate, 0)
    assert _plates(wallet, _reading("粤B12345")) == ["粤B12345", "琼B12345", "粤B12346"] or _plates(
        wallet, _reading("粤B12345")
    ) == ["粤B12345", "粤B12346", "琼B12345"]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("place", range(8))
def test_a_misreading_at_any_one_place_finds_the_plate(wallet, forecourt, place):
    account_id = forecourt.customer("粤BD12345", 0, "green")
    misread = "粤BD12345"[:place] + ("京" if place == 0 else "9") + "粤BD12345"[place + 1 :]
    found = wallet.candidates(_reading(misread))
    assert [(c.plate, c.colour, c.account_id) for c in found] == [("粤BD12345", "green", account_id)]


def test_two_places_are_found_where_the_reading_has_them_as_alternatives(wallet, forecourt):
    forecourt.customer("粤B12345", 0)
    assert _plates(wallet, _reading("粤B18945")) == []
    assert _plates(wallet, _reading("粤B18945", p3="2", p4="3")) == ["粤B12345"]


def test_an_unbound_plate_is_no_candidate(wallet, forecourt):
    forecourt.customer("粤B12345", 0)
    wallet.unbind_vehicle("粤B12345", forecourt.at(1))
    assert wallet.candidates(_reading("粤B12345")) == []
    assert wallet.candidates(_reading("粤B12346")) == []


def test_nothing_read_finds_nobody(wallet, forecourt):
    forecourt.customer("粤B12345", 0)
    assert wallet.candidates([]) == []


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_the_look_up_scans_no_table(wallet, forecourt):
    """The plan of both queries names an index; a growing table is measured elsewhere."""
    forecourt.customer("粤B12345", 0)
    keys = ", ".join(f"'{key}'" for key in keys_of("粤B12345"))
    queries = (
        "SELECT * FROM vehicles WHERE plate IN ('粤B12345', '粤B12346') AND unbound_at IS NULL",
        "SELECT * FROM vehicles v JOIN plate_keys k ON k.vehicle_id = v.id"
        f" WHERE k.plate_key IN ({keys}) AND v.unbound_at IS NULL",
    )
    with wallet.engine.connect() as connection:
        for query in queries:
            plan = [row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}"))]
            assert [step for step in plan if step.startswith("SCAN")] == []
