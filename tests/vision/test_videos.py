"""Real videos, where this machine has them: one track a car, and nothing where no plate can be read."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest

from vision.backends import load_detector, load_reader
from vision.pipeline import PipelineOptions, build_pipeline
from vision.types import Event, Frame

DATA = next(
    (p / "shared" / "data" for p in Path(__file__).resolve().parents if (p / "shared" / "data").is_dir()),
    None,
)
START = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)

# Counted by eye: the cars whose plate comes by in the open, and where its middle is in some frames. Besides
# them a lorry waits in the lane to the left, half out of the picture: its plate is 30 pixels wide and may be
# found or not. Not plates: the sticker on the white car's bonnet, the number painted on a lorry's door.
CARS = {
    "white car": {10: (515, 678), 20: (515, 678), 40: (496, 693), 44: (481, 704)},
    "red car": {108: (552, 537), 116: (476, 585), 124: (369, 652), 128: (313, 688)},
    "blue lorry": {316: (842, 401), 324: (832, 415), 330: (821, 431), 336: (806, 439)},
}
WAITING_LORRY = (range(150, 262), (0, 60))

# The plates of the toll booth are 40 to 60 of 1280 pixels wide: such a camera is set to search more closely.
SEARCH_PX = 640

pytestmark = pytest.mark.data


@dataclass
class Seen:
    """What a video gave. tracks: by number the frames a plate was in and where its middle was."""

    events: list[Event] = field(default_factory=list)
    tracks: dict[int, dict[int, np.ndarray]] = field(default_factory=dict)
    unread: int = 0


def see(name: str, every: int) -> Seen:
    """The video through the whole pipeline; every: 2 leaves out each second frame."""
    if DATA is None:
        if os.environ.get("PLATEPAY_REQUIRE_DATA") == "1":
            pytest.fail("../shared/data is not there, and PLATEPAY_REQUIRE_DATA=1 asks for it")
        pytest.skip("no videos: ../shared/data is not there")
    detector = load_detector(precision="f32", long_side_px=SEARCH_PX)
    pipeline = build_pipeline(PipelineOptions(), detector, load_reader(precision="f32"))
    seen = Seen()
    with av.open(str(DATA / "video" / name)) as container:
        for number, picture in enumerate(container.decode(video=0)):
            if number % every:
                continue
            image = picture.to_ndarray(format="bgr24")
            at = START + timedelta(seconds=float(picture.time or 0.0))
            seen.events += pipeline.process(Frame(image, at, "lane-1", number))
            for live in pipeline.live_tracks():
                seen.tracks.setdefault(live.track, {})[number] = live.corners.mean(axis=0)
    seen.events += pipeline.flush()
    seen.unread = pipeline.unread
    return seen


@pytest.fixture(scope="module")
def toll_booth() -> Seen:
    return see("parkpow_cars.mp4", every=2)


def tracks_of(seen: Seen, places: dict[int, tuple[int, int]]) -> set[int]:
    """The tracks that are where this car is."""
    return {
        track
        for track, centres in seen.tracks.items()
        for number, place in places.items()
        if number in centres and np.linalg.norm(centres[number] - place) < 40
    }


@pytest.mark.parametrize("car", CARS)
def test_a_car_has_one_track_from_its_first_frame_to_its_last(toll_booth, car: str) -> None:
    [track] = tracks_of(toll_booth, CARS[car])
    assert all(number in toll_booth.tracks[track] for number in CARS[car])


def test_no_two_cars_have_one_track_and_nothing_else_has_any(toll_booth) -> None:
    of_cars = [tracks_of(toll_booth, places) for places in CARS.values()]
    assert len(set().union(*of_cars)) == len(CARS)
    frames, (left, right) = WAITING_LORRY
    for track in toll_booth.tracks.keys() - set().union(*of_cars):
        for number, (x, _) in toll_booth.tracks[track].items():
            assert number in frames
            assert left <= x <= right


def test_plates_of_another_country_are_never_read_as_ours(toll_booth) -> None:
    assert toll_booth.events == []
    assert len(CARS) <= toll_booth.unread <= len(CARS) + 1


def test_a_video_of_cars_from_above_gives_nothing() -> None:
    seen = see("intel_car-detection.mp4", every=3)
    assert seen.events == []
    assert seen.tracks == {}
