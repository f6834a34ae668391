"""The bars of the HTTP benchmark are judged, and what it sends is what the service takes in the lane."""

from __future__ import annotations

import pytest

from api.commands.bench_http import bench_http, missed_bars
from api.commands.bench_http_load import Devices, departures, empties, plate_of, sales, sightings
from api.commands.failures import CommandError
from api.hot_messages import departure_of, sale_of, sighting_of

DEVICES = Devices(b"a" * 64, b"b" * 64)


def _result(**cpu_us: float) -> dict[str, object]:
    rows = {kind.replace("_", " "): {"cpu_us": found} for kind, found in cpu_us.items()}
    return {"bar_us": 130, "stores": {"sqlite": rows}}


def test_a_kind_above_the_bar_is_named_with_what_it_costs() -> None:
    assert missed_bars(_result(empty=500.0, sale=130.0, sighting_of_a_stranger=130.0)) == []
    assert missed_bars(_result(empty=50.0, sale=130.1)) == ["sale on sqlite costs 130.1 us, above 130"]


def test_an_unknown_store_is_refused() -> None:
    with pytest.raises(CommandError, match="--only is one of both, sqlite, postgresql"):
        bench_http(as_json=False, check=False, quick=True, only="mysql")


def test_what_is_sent_is_in_the_usual_form() -> None:
    for request in sightings(DEVICES, 3, 0):
        assert sighting_of(request.partition(b"\r\n\r\n")[2]) is not None
    for request in departures(DEVICES, sightings(DEVICES, 3, 0)):
        assert departure_of(request.partition(b"\r\n\r\n")[2]) is not None
    for request in sales(DEVICES, 3):
        assert sale_of(request.partition(b"\r\n\r\n")[2]) is not None
    assert empties(sightings(DEVICES, 1, 0))[0].startswith(b"POST /bench/empty ")


def test_strangers_and_customers_are_near_nobody() -> None:
    plates = [plate_of(start + number * 11) for start in (0, 100_000) for number in range(400)]
    assert len(set(plates)) == 800
    for plate in plates[::97]:
        near = [other for other in plates if sum(a != b for a, b in zip(plate, other, strict=True)) == 1]
        assert near == [] or plate.startswith("粤"), (plate, near)
