"""Registered plates that a reading could be, found by index."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from wallet.facts import Vehicle
from wallet.plates import PROVINCES, SERIAL, neighbours
from wallet.store import people


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


@pytest.mark.parametrize("read", ["粤BD1245", "粤BD112345", "粤BD1235", "BD12345"])
def test_a_missing_or_an_additional_character_is_found_where_a_plate_has_eight(wallet, forecourt, read):
    account_id = forecourt.customer("粤BD12345", 0, "green")
    found = {candidate.account_id for candidate in wallet.candidates(_reading(read))}
    assert (account_id in found) == (len(read) == 7)


def test_an_additional_character_is_found_where_a_plate_has_seven(wallet, forecourt):
    forecourt.customer("粤B12345", 0)
    assert _plates(wallet, _reading("粤B123345")) == ["粤B12345"]
    assert _plates(wallet, _reading("粤B123995")) == []


def test_a_candidate_carries_what_it_paid_here_and_elsewhere(wallet, forecourt):
    forecourt.customer("粤B12345", 500_000)
    for number, station in enumerate(["demo", "demo", "north"]):
        forecourt.station = station
        forecourt.arrive("粤B12345", seconds=number * 20_000)
        forecourt.sell(1_000, started=number * 20_000 + 30)
        forecourt.wallet.sweep(forecourt.at(number * 20_000 + 9_000))
    [found] = wallet.habits.candidates(_reading("粤B12345"), "demo", forecourt.at(70_000))
    assert (found.visits_here, found.visits_elsewhere) == (2, 1)
    [elsewhere] = wallet.habits.candidates(_reading("粤B12345"), "south", forecourt.at(70_000))
    assert (elsewhere.visits_here, elsewhere.visits_elsewhere) == (0, 3)
    [later] = wallet.habits.candidates(_reading("粤B12345"), "demo", forecourt.at(70_000 + 90 * 86_400))
    assert (later.visits_here, later.visits_elsewhere) == (0, 0)


def test_a_debit_that_was_reversed_makes_no_habit(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 500_000)
    visit = forecourt.arrive("粤B12345").visit
    forecourt.sell(1_000)
    [line] = [line for line in wallet.statement(account_id) if line.visit_id == visit.id]
    wallet.commands.reverse(line.id, "not me", key="not-me", actor="li", now=forecourt.at(300))
    [found] = wallet.habits.candidates(_reading("粤B12345"), "demo", forecourt.at(400))
    assert found.visits_here == 0


def test_the_traffic_of_a_station_is_counted_by_prefix_and_by_customers(wallet, forecourt):
    forecourt.customer("粤B12345", 500_000)
    before = wallet.habits.traffic("demo")
    assert (before.cars, before.customers, before.registered) == (0, 0, 1)
    forecourt.arrive("粤B12345")
    forecourt.arrive("粤B99999", seconds=1_000, candidates=())
    forecourt.arrive("琼A00001", seconds=2_000, candidates=())
    forecourt.arrive(None, seconds=3_000)
    assert wallet.habits.recount_when_due(forecourt.at(4_000), timedelta(hours=24))
    counted = wallet.habits.traffic("demo")
    assert (counted.cars, counted.customers, counted.registered) == (3, 1, 1)
    assert counted.prefixes == {"粤B": 2, "琼A": 1}
    assert not wallet.habits.recount_when_due(forecourt.at(5_000), timedelta(hours=24))
    # A quarter of a year later nothing of it counts any more.
    wallet.habits.recount(forecourt.at(5_000 + 91 * 86_400))
    assert wallet.habits.traffic("demo").cars == 0


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_the_look_up_scans_no_table(wallet, forecourt):
    """The plan of the very statement names the index of bound plates; the only scan is of the list given."""
    forecourt.customer("粤B12345", 0)
    with wallet.engine.connect() as connection:
        people.bound_vehicles(connection, ["粤B12345"])
        statement = people._BOUND._compiled["sqlite"].sql
        plan = [
            row.detail
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", ('["粤B12345"]',))
        ]
    assert any("uq_vehicles_bound_plate" in step for step in plan)
    assert [step for step in plan if step.startswith("SCAN") and "vehicles" in step] == []


def _bind_many(connection, account_id, plates, now):
    for number, plate in enumerate(plates):
        people.bind(connection, Vehicle(f"v{number}", account_id, plate, "blue", now, None))


def test_the_index_finds_the_plates_that_trying_every_string_finds(wallet, forecourt):
    """Among plates so much alike that many are one step apart, of seven and of eight characters."""
    draw = random.Random(7)

    def drawn():
        few = draw.choice([SERIAL[:3], SERIAL[:3], SERIAL])
        length = draw.choice([5, 5, 5, 6])
        return draw.choice(PROVINCES[:3]) + draw.choice("AB") + "".join(draw.choices(few, k=length))

    bound = sorted({drawn() for _ in range(1_500)})
    account_id = wallet.open_account("Li", None, "k", forecourt.at(0)).id
    wallet.store.write(lambda tx: _bind_many(tx, account_id, bound, forecourt.at(0)))
    gone = bound[::7]
    for plate in gone:
        wallet.unbind_vehicle(plate, forecourt.at(1))

    def both(tx, text):
        return people.bound_near(tx, text), people.bound_vehicles(tx, [text, *neighbours(text)])

    found = 0
    for text in [drawn() for _ in range(300)] + bound[:100] + ["粤B1234", "粤B1234567"]:
        by_index, by_trying = wallet.store.read(lambda tx, text=text: both(tx, text))
        assert by_index == by_trying
        assert not set(by_index) & set(gone)
        found += len(by_index)
    assert found > 1_000


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("text", ["粤B12345", "粤BD12345"])
def test_the_look_up_of_near_plates_scans_no_table(wallet, text):
    with wallet.engine.connect() as connection:
        people.bound_near(connection, text)
        statement = people._near(len(text))._compiled["sqlite"]
        asked = ["x"] * len(statement.names)
        plan = [
            row.detail
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement.sql}", tuple(asked))
        ]
    assert [step for step in plan if step.startswith("SCAN")] == []
    assert sum("INDEX ix_vehicles_bound_without_" in step for step in plan) == (15 if len(text) == 7 else 8)
    assert sum("uq_vehicles_bound_plate" in step for step in plan) == (1 if len(text) == 7 else 9)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize("text", ["粤B12345", "粤BD12345"])
def test_among_many_plates_the_near_ones_are_looked_up_without_workers(wallet, forecourt, text):
    """However many rows PostgreSQL thinks a look finds: it reads an index, alone, and compiles nothing."""
    account_id = wallet.open_account("Li", None, "k", forecourt.at(0)).id
    plates = [f"粤B{number:05d}" for number in range(2_000)]
    wallet.store.write(lambda tx: _bind_many(tx, account_id, plates, forecourt.at(0)))
    statement = people._near(len(text))
    with wallet.engine.connect() as connection, connection.begin():
        people.bound_near(connection, text)
        compiled = statement._compiled["postgresql"]
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        connection.exec_driver_sql(f"PREPARE near AS {compiled.numbered.decode()}")
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        asked = ", ".join(["'x'"] * len(compiled.names))
        plan = [row[0] for row in connection.exec_driver_sql(f"EXPLAIN EXECUTE near({asked})")]
        connection.exec_driver_sql("DEALLOCATE near")
        settings = [
            connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("max_parallel_workers_per_gather", "jit")
        ]
    assert [line for line in plan if "Seq Scan" in line or "Gather" in line] == []
    assert sum("on ix_vehicles_bound_without_" in line or "using ix_vehicles" in line for line in plan) == (
        15 if len(text) == 7 else 8
    )
    assert settings == ["0", "off"]
