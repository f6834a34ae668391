"""bench tracks: which stills are shown, what is counted, and when a bar is missed."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from api.commands.bench_passes import (
    LOOKS,
    Passed,
    Seen,
    Still,
    drawn_stills,
    is_held_out,
    labelled_stills,
    run_pass,
    summarise,
)
from api.commands.bench_tracks import missed_bars, still_sets
from api.commands.failures import CommandError
from models.pictures import LabelledPlate
from models.plate_crops import crops
from vision.plates import is_valid
from vision.types import Detection, PlateText

TEXT = "粤B12345"


def said(text: str | None, wrong_ppm: int) -> Seen:
    return Seen(text, wrong_ppm, 3)


def passed(text: str | None, wrong_ppm: int, switches: int = 0) -> Passed:
    rows = {looks: said(text, wrong_ppm) for looks in LOOKS}
    return Passed(TEXT, {"first": rows, "both": rows}, switches)


def test_right_sure_and_wrongly_sure_are_counted_with_what_was_claimed() -> None:
    passes = [passed(TEXT, 100), passed("粤B12346", 4000), passed(TEXT, 4001), passed(None, 1_000_000)]
    row = summarise(passes)["looks"]["both"]["3"]
    assert (row["exact"]["right"], row["exact"]["of"]) == (2, 4)
    assert (row["accepted"]["right"], row["accepted"]["of"]) == (2, 4)
    assert (row["wrong_of_accepted"]["right"], row["wrong_of_accepted"]["of"]) == (1, 2)
    assert row["claimed_wrong"] == pytest.approx(0.004, abs=5e-4)


def test_a_bar_is_missed_only_where_the_whole_interval_is_beyond_it() -> None:
    good = [passed(TEXT, 100)] * 50
    assert missed_bars({"s": summarise(good)}) == []
    assert missed_bars({"s": summarise([*good, passed("粤B12346", 100)])}) == []
    bad = summarise([*good, *[passed("粤B12346", 100)] * 5])
    assert missed_bars({"s": bad}) == ["s: 5 of 55 accepted are wrong; the bar is 0.4%"]
    torn = summarise([*good, *[passed(TEXT, 100, switches=1)] * 8])
    assert missed_bars({"s": torn}) == ["s: 50 of 58 passes keep to one track; the bar is 99%"]


def test_the_plates_kept_apart_are_those_the_training_keeps_apart() -> None:
    for number in range(300):
        text = f"粤B{number:05d}"
        plate = LabelledPlate(text, "blue", 1, None, None)
        assert is_held_out(text) == crops.is_held_out(plate, 20)


def test_stills_have_one_readable_plate_and_come_in_seeded_order(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    names = ["a", "b", "two", "open", "missing"]
    for name in names[:-1]:
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), np.zeros((50, 100, 3), np.uint8))
    rows = [
        ("a", TEXT),
        ("b", "京A6F888"),
        ("two", TEXT),
        ("two", "京A6F888"),
        ("open", ""),
        ("missing", TEXT),
    ]
    with (tmp_path / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["file", "plate_text", "plate_type", "x1", "y1", "x2", "y2"])
        writer.writeheader()
        for name, text in rows:
            box = {"x1": 10, "y1": 10, "x2": 60, "y2": 25}
            writer.writerow({"file": f"images/{name}.png", "plate_text": text, "plate_type": "blue", **box})
    labels = tmp_path / "labels.csv"
    found = [s.name for s in labelled_stills(labels, held_out_only=False, most=9, seed=1)]
    assert sorted(found) == ["a.png", "b.png"]
    assert [s.name for s in labelled_stills(labels, held_out_only=False, most=9, seed=1)] == found


def test_without_pictures_drawn_ones_are_shown_and_a_wrong_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLATEPAY_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    assert list(still_sets(None, 2)) == ["drawn"]
    with pytest.raises(CommandError, match="nowhere"):
        still_sets(tmp_path / "nowhere", 2)


class Knowing:
    """A detector that finds the blue plate by its colour, and a reader that needs a large enough one."""

    def __init__(self, still: Still) -> None:
        self.still = still
        self.detected = 0
        self.read_crops = 0

    def detect(self, image: np.ndarray) -> list[Detection]:
        self.detected += 1
        blueness = cv2.subtract(image[:, :, 0], image[:, :, 2])
        ys, xs = np.nonzero(blueness > 0.6 * blueness.max())
        x1, x2 = np.percentile(xs, [1, 99])
        y1, y2 = np.percentile(ys, [1, 99])
        return [Detection(np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float32), 0.9)]

    def read(self, crop: np.ndarray, rows: Sequence[int] = (1,)) -> PlateText:
        self.read_crops += 1
        positions = tuple(((character, 0.99),) for character in self.still.text)
        return PlateText(self.still.text, "blue", 0.99, positions, 0.93)


def test_a_pass_asks_for_each_frame_once_and_grows_surer_with_looks() -> None:
    image = np.full((480, 640, 3), 120, np.uint8)
    image[200:240, 300:420] = (200, 60, 20)
    still = Still("still", TEXT, image, (300.0, 200.0, 420.0, 240.0))
    detector, first, second = Knowing(still), Knowing(still), Knowing(still)
    found = run_pass(still, 3, detector, first, second)
    assert detector.detected == max(LOOKS)
    assert first.read_crops == max(LOOKS)
    assert 0 < second.read_crops < max(LOOKS)
    assert found.switches == 0
    for reader in ("first", "both"):
        wrong = [found.seen[reader][looks].wrong_ppm for looks in LOOKS]
        assert wrong[-1] < wrong[0]
        assert all(found.seen[reader][looks].text == TEXT for looks in LOOKS)
    assert found.seen["both"][12].wrong_ppm < found.seen["first"][12].wrong_ppm


def test_drawn_stills_show_valid_plates_in_their_boxes() -> None:
    [still] = drawn_stills(1, 4)
    assert is_valid(still.text, "blue")
    x1, y1, x2, y2 = (round(v) for v in still.plate)
    inside = still.image[y1:y2, x1:x2].astype(int)
    assert (inside[:, :, 0] - inside[:, :, 2]).mean() > 40
