"""bench decide and twins: what is filled, what is drawn, when the bar is missed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.commands.bench_decide import doubted, drawn_sighting, measure, missed_bars, shapes_measured
from api.commands.bench_decide_fill import fill, plate_of
from vision.plates import is_valid


def test_the_filled_plates_are_those_that_readings_are_drawn_of(tmp_path: Path) -> None:
    fill(tmp_path / "decide.db", 2_000)
    with closing(sqlite3.connect(tmp_path / "decide.db")) as database:
        plates = {row[0] for row in database.execute("SELECT plate FROM vehicles")}
        indexes = {row[1] for row in database.execute("PRAGMA index_list(vehicles)")}
    assert plates == {plate_of(number) for number in range(2_000)}
    assert all(is_valid(plate) for plate in plates)
    assert {"uq_vehicles_bound_plate", "ix_vehicles_account_id"} <= indexes
    assert len({plate_of(number) for number in range(999_000, 1_002_000)}) == 3_000


def test_more_plates_than_there_can_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not for 30000000"):
        fill(tmp_path / "decide.db", 30_000_000)


def test_a_measured_doubt_is_put_on_another_character_as_it_was() -> None:
    doubt = {"true": "8", "choices": [["B", 600_000], ["8", 300_000]]}
    read = doubted("粤", doubt, Random(1))
    assert [ppm for _, ppm in read] == [600_000, 300_000]
    assert read[1][0] == "粤"
    assert read[0][0] not in "粤B8"
    assert doubted("粤", None, Random(1)) == (("粤", 999_800),)


def test_drawn_readings_are_of_customers_and_of_strangers() -> None:
    chance, shapes = Random(2), shapes_measured()
    registered = {plate_of(number) for number in range(1_000)}
    texts = [drawn_sighting(1_000, number, shapes, chance).text for number in range(200)]
    assert 60 < sum(text in registered for text in texts) < 190


def test_every_outcome_is_met_and_the_cost_is_told(tmp_path: Path) -> None:
    row = measure(tmp_path, 2_000, 60)
    assert sum(row["outcomes"].values()) == 60
    assert row["outcomes"]["auto"] > 10
    assert row["cpu_median_ms"] <= row["cpu_p95_ms"] <= row["cpu_p99_ms"]


def test_the_bar_is_missed_where_five_of_a_hundred_take_longer() -> None:
    assert missed_bars([{"plates": 10_000, "cpu_p95_ms": 5.0}]) == []
    assert missed_bars([{"plates": 10_000, "cpu_p95_ms": 5.1}]) == [
        "a decision among 10,000 plates takes 5.1 ms of CPU (95 %); the bar is 5.0"
    ]


def test_twins_are_looked_for_and_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    from wallet.service import open_wallet

    url = f"sqlite:///{tmp_path / 'platepay.db'}"
    wallet = open_wallet(url)
    now = datetime(2026, 11, 21, tzinfo=UTC)
    for name, plate in (("Li", "粤B54250"), ("Wang", "鄂B54250")):
        account = wallet.open_account(name, None, name, now)
        wallet.bind_vehicle(account.id, plate, "blue", f"bind {name}", now)
    wallet.close()
    monkeypatch.setenv("PLATEPAY_DATA_DIR", str(tmp_path))
    runner = CliRunner()
    before = runner.invoke(app, ["twins"])
    assert before.output == "no registered plates of two accounts are twins\n"
    found = json.loads(runner.invoke(app, ["twins", "--refresh", "--json"]).stdout)
    assert found["looked_at"] == 2
    assert [pair["plates"] for pair in found["pairs"]] == [["粤B54250", "鄂B54250"]]
