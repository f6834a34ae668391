from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from vision.types import Zone
from vision.zones import Rest, holds, zone_at

SQUARE = ((0.2, 0.2), (0.6, 0.2), (0.6, 0.6), (0.2, 0.6))
ARROW = ((0.0, 0.0), (1.0, 0.0), (0.5, 0.5), (1.0, 1.0), (0.0, 1.0))


@pytest.mark.parametrize(
    ("polygon", "x", "y", "inside"),
    [
        (SQUARE, 0.4, 0.4, True),
        (SQUARE, 0.7, 0.4, False),
        (SQUARE, 0.4, 0.7, False),
        (ARROW, 0.2, 0.5, True),
        (ARROW, 0.9, 0.5, False),
        (ARROW, 0.7, 0.1, True),
    ],
)
def test_a_point_is_in_a_polygon_or_not(polygon, x: float, y: float, inside: bool) -> None:
    assert holds(polygon, x, y) is inside
    assert holds(tuple(reversed(polygon)), x, y) is inside


def test_the_first_zone_that_holds_the_middle_counts() -> None:
    corners = np.array([[300, 100], [380, 100], [380, 140], [300, 140]], np.float32)
    zones = (Zone("far", ((0.9, 0.9), (1, 0.9), (1, 1))), Zone("1", SQUARE), Zone("2", SQUARE))
    assert zone_at(corners, (1000, 300), zones) == "1"
    assert zone_at(corners + 600, (1000, 300), zones) is None
    assert zone_at(corners, (1000, 300), ()) is None


def test_creeping_further_than_a_plate_starts_the_rest_anew() -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    rest = Rest(np.array([100.0, 100.0]), start)
    for second in range(1, 5):
        rest.see(np.array([100.0 + 10 * second, 100.0]), 80.0, start + timedelta(seconds=second))
    assert rest.since == start
    rest.see(np.array([150.0, 100.0]), 80.0, start + timedelta(seconds=5))
    assert rest.since == start + timedelta(seconds=5)
