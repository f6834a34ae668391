"""Evidence pictures on disk and the messages that name them."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import cv2
import numpy as np
import pytest

from cameras.errors import EvidenceTooLarge
from cameras.evidence import FRAME_QUALITIES, Evidence, EvidenceStore, encode_jpeg
from cameras.health import CameraHealth
from cameras.messages import (
    ModelNames,
    as_bytes,
    departure_message,
    health_message,
    health_path,
    ppm,
    rfc3339,
    sighting_message,
)
from tests.cameras.fakes import START, picture, sighting
from vision.types import LookTaken, PlateText

MODELS = ModelNames("d" * 64, "e" * 64)
EVIDENCE = Evidence("a" * 64, "b" * 64)


def test_evidence_is_named_by_its_content(tmp_path):
    store = EvidenceStore(tmp_path)
    seen = sighting()
    kept = store.keep(seen)
    for sha256, image in ((kept.frame, seen.frame), (kept.crop, seen.best.crop)):
        path = tmp_path / sha256[:2] / f"{sha256}.jpg"
        data = path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == sha256
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == image.shape
        assert store.get(sha256) == data
    assert store.keep(seen) == kept
    assert len(list(tmp_path.glob("??/*"))) == 2


def test_a_picture_that_is_not_what_its_name_says_is_not_given_and_is_written_anew(tmp_path):
    store = EvidenceStore(tmp_path)
    sha256 = store.put(b"picture")
    store.path(sha256).write_bytes(b"other")
    assert store.get(sha256) is None
    assert store.put(b"picture") == sha256
    assert store.get(sha256) == b"picture"


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        EvidenceStore(tmp_path).put(b"picture")
    assert list(tmp_path.glob("??/*")) == []


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "a" * 63])
def test_what_is_no_hash_is_no_path(tmp_path, name):
    with pytest.raises(ValueError, match="no SHA-256"):
        EvidenceStore(tmp_path).path(name)


def test_old_evidence_is_swept_but_not_what_is_still_needed(tmp_path):
    store = EvidenceStore(tmp_path)
    old, needed, young = (store.put(name) for name in (b"old", b"needed", b"young"))
    torn = store.path(old).with_suffix(".part")
    torn.write_bytes(b"half")
    now = datetime.now(START.tzinfo)
    ten_days_ago = (now - timedelta(days=10)).timestamp()
    for path in (store.path(old), store.path(needed), torn):
        os.utime(path, (ten_days_ago, ten_days_ago))
    assert store.sweep(timedelta(days=7), now, keep={needed}) == 2
    assert store.get(old) is None
    assert not torn.exists()
    assert store.get(needed) == b"needed"
    assert store.get(young) == b"young"


def test_a_picture_too_large_is_written_at_a_lower_quality():
    noise = np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), np.uint8)
    data = encode_jpeg(noise, FRAME_QUALITIES)
    assert len(data) <= 2_000_000
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == noise.shape


def test_a_picture_that_never_fits_is_an_error():
    with pytest.raises(EvidenceTooLarge, match="above the limit of 1000"):
        encode_jpeg(picture(width=1280, height=720), FRAME_QUALITIES, limit_bytes=1000)


def message(**changes):
    return sighting_message(
        replace(sighting(), **changes),
        sighting_id="019aa6f2-8d1c-7c3e-9b55-0f6a3f1c2d44",
        station="demo",
        evidence=EVIDENCE,
        models=MODELS,
    )


def test_the_sighting_message_is_exactly_the_agreed_one():
    assert message() == {
        "sighting_id": "019aa6f2-8d1c-7c3e-9b55-0f6a3f1c2d44",
        "station": "demo",
        "camera": "lane-1",
        "pump": "1",
        "first_seen_at": "2026-01-05T08:00:00.000000Z",
        "last_seen_at": "2026-01-05T08:00:02.000000Z",
        "text": "粤B12345",
        "colour": "blue",
        "wrong_ppm": 1200,
        "looks": 8,
        "positions": [[[letter, 998000], ["8", 1200]] for letter in "粤B12345"],
        "evidence": {"frame": "a" * 64, "crop": "b" * 64},
        "models": {"detector": "d" * 64, "reader": "e" * 64},
        "plate_corners": [[10, 10], [60, 10], [60, 30], [10, 30]],
        "readings": [],
    }


def look(at_s: int, weight: float = 0.5, **changes) -> LookTaken:
    plate = sighting().best.plate
    return replace(LookTaken(START + timedelta(seconds=at_s), plate, 0.8, weight), **changes)


def test_the_readings_a_sighting_was_made_of_travel_with_it_in_the_order_they_were_taken():
    unread = PlateText(None, "blue", 0.9, (), 0.0)
    found = message(taken=(look(0), look(1, second=unread)))["readings"]
    said = {
        "text": "粤B12345",
        "wrong_ppm": 20_000,
        "positions": [[[c, 998000], ["8", 1200]] for c in "粤B12345"],
    }
    one = {**said, "colour": "blue", "quality_ppm": 800_000, "weight_ppm": 500_000}
    assert found == [
        {"captured_at": "2026-01-05T08:00:00.000000Z", **one},
        {
            "captured_at": "2026-01-05T08:00:01.000000Z",
            **one,
            "second": {"text": None, "wrong_ppm": 1_000_000, "positions": []},
        },
    ]


def test_a_message_names_the_heaviest_sixteen_readings_and_stays_small():
    eight = PlateText(
        "粤BD12345", "green", 0.9, tuple(tuple((c, 0.2) for c in "ABCDE") for _ in range(8)), 0.9
    )
    looks = tuple(look(i, weight=i / 100, plate=eight, second=eight) for i in range(52))
    found = message(taken=looks)
    assert [reading["weight_ppm"] for reading in found["readings"]] == [i * 10_000 for i in range(36, 52)]
    assert all(len(p) == 3 for reading in found["readings"] for p in reading["positions"])
    assert len(as_bytes(found)) < 16_000


def test_a_message_holds_no_floats_and_always_has_the_same_bytes():
    data = as_bytes(message())
    assert json.loads(data, parse_float=lambda text: pytest.fail(text)) == message()
    assert as_bytes(message()) == data
    with pytest.raises(ValueError, match="holds the float"):
        as_bytes({"positions": [[["粤", 0.5]]]})


def test_a_plate_that_cannot_be_read_and_has_no_pump_is_said_so():
    found = message(text=None, positions=(), zone=None, wrong_ppm=1_000_000)
    assert (found["text"], found["positions"], found["pump"]) == (None, [], None)


def test_only_the_five_likeliest_characters_are_sent_most_likely_first():
    position = (("A", 0.1), ("B", 0.5), ("C", 0.2), ("D", 0.1), ("E", 0.06), ("F", 0.04), ("G", 0.0))
    found = message(text="A", positions=(position,))["positions"][0]
    assert [character for character, _ in found] == ["B", "C", "A", "D", "E"]


def test_impossible_characters_are_left_out():
    assert message(text="A", positions=((("A", 1.0), ("B", 1e-9)),))["positions"] == [[["A", 1_000_000]]]


@pytest.mark.parametrize(
    ("value", "expected"), [(0.0, 0), (1.0, 1_000_000), (1.00001, 1_000_000), (0.0012, 1200)]
)
def test_probabilities_become_whole_parts_per_million(value, expected):
    assert ppm(np.float32(value)) == pytest.approx(expected, abs=1)
    assert type(ppm(np.float32(value))) is int


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.5, 1.5])
def test_what_is_no_probability_is_refused(value):
    with pytest.raises(ValueError, match="no probability"):
        ppm(value)


def test_times_are_sent_in_utc():
    east = timezone(timedelta(hours=8))
    assert rfc3339(datetime(2026, 1, 5, 16, 0, tzinfo=east)) == "2026-01-05T08:00:00.000000Z"
    with pytest.raises(ValueError, match="no time zone"):
        rfc3339(datetime(2026, 1, 5))  # noqa: DTZ001 - that is the point


def test_the_health_message_has_whole_numbers_and_one_line_of_text():
    health = CameraHealth(
        "frozen", 10, 1, 2, 3, START, 0.25, 1280, 720, 1, "the picture\nstands still " + "x" * 500
    )
    found = health_message(health, "demo")
    as_bytes(found)
    assert len(found["detail"]) == 400
    assert "\n" not in found["detail"]
    assert found["last_frame_at"] == "2026-01-05T08:00:00.000000Z"
    assert health_path("机位 1/2") == "/v1/cameras/%E6%9C%BA%E4%BD%8D%201%2F2/health"


def test_the_departure_message():
    assert departure_message("x", START) == {"sighting_id": "x", "left_at": "2026-01-05T08:00:00.000000Z"}
