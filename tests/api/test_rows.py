"""What the page makes of the wallet's rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from api.page.queries import LogQueries
from api.page.rows import Filter, percent, spaced, yuan
from api.settings import find_zone


@pytest.mark.parametrize(
    ("ppm", "text"), [(998_800, "99.88 %"), (1_000_000, "100.00 %"), (0, "0.00 %"), (999_999, "99.99 %")]
)
def test_percent_never_rounds_up(ppm: int, text: str) -> None:
    assert percent(ppm) == text


def test_money_and_plates_are_written_as_people_do() -> None:
    assert yuan(24_531) == "¥245.31"
    assert yuan(5) == "¥0.05"
    assert spaced("粤B12345") == "粤B·12345"


def test_china_needs_no_time_zone_database() -> None:
    assert datetime(2026, 11, 21, 20, tzinfo=UTC).astimezone(find_zone("Asia/Shanghai")).hour == 4


@pytest.fixture
def queries(shared: Any) -> LogQueries:
    return LogQueries(shared.parts, find_zone("Asia/Shanghai"))


def test_a_part_of_a_plate_is_found_as_is_a_whole_one(shared: Any, queries: LogQueries) -> None:
    shared.arrive("鲁Q4D635")
    shared.arrive("粤Z9A999")
    for part in ("q4d", "鲁", "鲁Q4D635", "鲁q·4d635", " 4D6"):
        rows = queries.rows(Filter(plate=part), 50)
        assert {row.plate for row in rows} == {"鲁Q·4D635"}, part
    assert queries.rows(Filter(plate="4D635鲁"), 50) == []
    assert queries.rows(Filter(plate="'; --"), 50) == []


def test_filters_by_station_decision_and_time(shared: Any, queries: LogQueries) -> None:
    shared.arrive("鲁Q4D635")
    now = shared.clock()
    assert queries.rows(Filter(station="demo", outcome="none"), 50)
    assert queries.rows(Filter(station="elsewhere"), 50) == []
    assert queries.rows(Filter(outcome="auto"), 50) == []
    assert queries.rows(Filter(since=now), 50) == []
    assert queries.rows(Filter(until=now.replace(year=2020)), 50) == []


def test_a_second_sighting_of_a_stay_does_not_show_its_money_twice(service: Any) -> None:
    service.account()
    service.arrive(camera="lane-1")
    service.arrive(camera="lane-2")
    queries = LogQueries(service.parts, find_zone("UTC"))
    newer, older = queries.rows(Filter(), 50)
    assert (older.hold, newer.hold) == ("¥400.00", "—")
    assert "Same stay" in newer.visit
    service.pump.post("/v1/sales", service.sale())
    today = queries.today()
    assert (today.sightings, today.auto, today.captured) == (2, 2, "¥245.31")


def test_looking_at_the_details_is_kept(service: Any) -> None:
    seen = service.arrive("鲁Q4D635")
    queries = LogQueries(service.parts, find_zone("UTC"))
    [row] = queries.rows(Filter(), 50)
    session = service.parts.operators.of_token(service.operator.token)
    details = queries.details(seen["sighting_id"], session)
    assert details is not None
    assert [len(position) for position in details.positions] == [1] * 7
    assert row.crop is not None
    assert [look.purpose for look in service.parts.access.looks(row.crop)] == ["details"]
    assert queries.details("another", session) is None


def test_a_camera_that_says_nothing_any_more_is_shown_as_silent(service: Any, tools: Any) -> None:
    health = {
        "station": "demo", "state": "ok", "frames": 1, "dropped": 0, "broken_frames": 0, "reconnects": 0,
        "last_frame_at": None, "width": 1280, "height": 720,
    }  # fmt: skip
    service.camera.post("/v1/cameras/lane-1/health", health)
    queries = LogQueries(service.parts, find_zone("UTC"))
    assert [(camera.kind, camera.more) for camera in queries.cameras()] == [("ok", "1280×720")]
    service.clock.forward(minutes=5)
    [camera] = queries.cameras()
    assert camera.kind == "bad"
    assert "5 min" in camera.words
    assert queries.stations() == ["demo"]
