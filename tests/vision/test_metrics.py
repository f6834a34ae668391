from pathlib import Path

import cv2
import numpy as np
import pytest

from vision.intervals import wilson
from vision.labelled import evaluate_labels, read_labels
from vision.metrics import Outcome, Report, calibration_error, coverage, summary, worst_of
from vision.picture import overlap
from vision.types import Detection

HEADER = "file,plate_text,plate_type,layout,x1,y1,x2,y2,corners,width,height,source,licence\n"


class OneBox:
    """Finds the same plates in every whole picture, and none in a window of it."""

    def __init__(self, *boxes: tuple[float, float, float, float]) -> None:
        self.boxes = boxes

    def detect(self, image: np.ndarray) -> list[Detection]:
        if image.shape[:2] != (100, 200):
            return []
        return [
            Detection(np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float32), 0.9)
            for x1, y1, x2, y2 in self.boxes
        ]


class Reads:
    """Reads the texts it was given, one a call."""

    def __init__(self, *plates) -> None:
        self.plates = list(plates)

    def read(self, crop: np.ndarray, rows=(1,)):
        return self.plates.pop(0)


def labelled(folder: Path, *rows: str) -> Path:
    (folder / "images").mkdir()
    for row in rows:
        cv2.imwrite(str(folder / row.split(",")[0]), np.full((100, 200, 3), 90, np.uint8))
    path = folder / "labels.csv"
    path.write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def outcome(text: str, read: str | None, confidence: float) -> Outcome:
    return Outcome("a.jpg", text, "blue", True, read, confidence)


def test_plates_are_matched_by_place_and_counted(tmp_path: Path, say) -> None:
    path = labelled(
        tmp_path,
        "images/a.jpg,粤B12345,blue,single,10,10,70,30,,200,100,x,y",
        "images/a.jpg,京A6F888,blue,single,110,10,170,30,,200,100,x,y",
        "images/b.jpg,琼C74322,blue,single,12,11,71,29,,200,100,x,y",
    )
    detector = OneBox((10, 10, 70, 30), (20, 60, 80, 80))
    reader = Reads(say("粤B12345"), say("粤B99999", 0.5), say("京C74322", 0.55), say(None))
    steps = []
    report = evaluate_labels(read_labels(path), detector, reader, lambda done, of: steps.append((done, of)))
    said = report.as_dict()
    assert steps == [(1, 2), (2, 2)]
    assert (said["exact"]["right"], said["exact"]["of"]) == (1, 3)
    assert (said["province"]["right"], said["last_six"]["right"]) == (1, 2)
    assert (said["detected"]["right"], said["detected"]["of"]) == (2, 3)
    assert (said["wrong_texts"], said["extra_texts"], said["wrong_texts_a_picture"]) == (2, 1, 1.0)
    assert said["texts"] == 3
    assert [(e["plate"], e["read"]) for e in said["errors"]] == [
        ("", "粤B99999"),
        ("京A6F888", None),
        ("琼C74322", "京C74322"),
    ]


def test_crops_need_no_detector_and_an_unreadable_file_counts_as_unread(tmp_path: Path, say) -> None:
    path = labelled(tmp_path, *[f"images/{n}.jpg,粤B12345,blue,single,,,,,,200,100,x,y" for n in "ab"])
    (tmp_path / "images/b.jpg").write_bytes(b"no picture")
    said = evaluate_labels(read_labels(path), None, Reads(say("粤B12345"))).as_dict()
    assert said["unread_pictures"] == ["b.jpg"]
    assert (said["exact"]["right"], said["exact"]["of"]) == (1, 2)


def test_a_text_on_a_plate_whose_label_leaves_it_open_is_neither_right_nor_wrong(tmp_path: Path, say) -> None:
    path = labelled(tmp_path, "images/a.jpg,,blue,single,10,10,70,30,,200,100,x,y")
    report = evaluate_labels(read_labels(path), OneBox((10, 10, 70, 30)), Reads(say("粤B12345")))
    assert (report.texts, report.unjudged, report.wrong_texts, report.misses) == (1, 1, 0, [])
    assert report.as_dict()["exact"]["of"] == 0


def test_a_miss_keeps_its_surroundings_only_where_asked(tmp_path: Path, say) -> None:
    path = labelled(tmp_path, "images/a.jpg,粤B12345,blue,single,10,10,70,30,,200,100,x,y")
    for wanted in (True, False):
        report = evaluate_labels(
            read_labels(path), OneBox((12, 11, 71, 31)), Reads(say("粤B12845")), with_views=wanted
        )
        [miss] = report.misses
        assert (miss.text, miss.read, miss.score) == ("粤B12345", "粤B12845", 0.9)
        assert (miss.view is not None) is wanted


def test_coverage_takes_as_many_as_the_error_allows() -> None:
    outcomes = [outcome("粤B12345", "粤B12345", 0.9 - i / 1000) for i in range(99)]
    outcomes.insert(50, outcome("粤B12345", "粤B12845", 0.85))
    outcomes.append(outcome("粤B12345", None, 0.0))
    assert coverage(outcomes, 0.0)["right"] < 51
    assert coverage(outcomes, 0.01)["right"] == 100
    assert coverage(outcomes, 0.01)["of"] == 101


def test_readings_of_one_confidence_are_accepted_together() -> None:
    outcomes = [outcome("粤B12345", "粤B12345", 0.9), outcome("粤B12345", "粤B12845", 0.9)]
    assert coverage(outcomes, 0.0)["right"] == 0


def test_calibration_error_is_the_distance_of_confidence_and_share_right() -> None:
    sure = [outcome("粤B12345", "粤B12345" if i % 10 else "粤B12845", 0.9) for i in range(100)]
    assert calibration_error(sure) == pytest.approx(0.0, abs=1e-9)
    too_sure = [outcome("粤B12345", "粤B12345" if i % 2 else "粤B12845", 0.9) for i in range(100)]
    assert calibration_error(too_sure) == pytest.approx(0.4)
    not_read = [outcome("粤B12345", None, 0.0)]
    assert calibration_error(too_sure + not_read) == pytest.approx(0.4)
    assert calibration_error(not_read) == 0.0


def test_the_worst_province_is_named_and_other_beginnings_are_none() -> None:
    report = Report(
        outcomes=[
            outcome("粤B12345", "粤B12345", 0.9),
            outcome("京A12345", "京A12345", 0.9),
            outcome("京A12346", "冀A12346", 0.9),
            outcome("使224424", None, 0.0),
        ]
    )
    said = report.as_dict()
    assert list(said["provinces"]) == ["京", "粤"]
    worst = said["worst_province"]
    assert (worst["name"], worst["right"], worst["of"]) == ("京", 1, 2)
    assert worst_of({}) == {"name": None, "right": 0, "of": 0}


def test_kinds_that_are_not_supported_are_counted_apart() -> None:
    kept_silent, guessed = outcome("WJ1693015", None, 0.0), outcome("皖1946673", "皖A46673", 0.6)
    right = outcome("粤B12345", "粤B12345", 0.9)
    said = Report(outcomes=[kept_silent, guessed, right]).as_dict()
    assert (said["exact"]["right"], said["exact"]["of"]) == (1, 3)
    assert (said["exact_supported"]["right"], said["exact_supported"]["of"]) == (1, 1)
    assert (said["unsupported_not_read"]["right"], said["unsupported_not_read"]["of"]) == (1, 2)


def test_energy_plates_are_the_green_ones_alone() -> None:
    plates = [
        Outcome("a", "沪AF02976", kind, True, read, 0.9)
        for kind, read in (("green", "沪AF02976"), ("green-large", None), ("aviation-green", None))
    ]
    energy = Report(outcomes=plates).as_dict()["energy"]
    assert (energy["right"], energy["of"]) == (1, 2)


def test_sets_taken_together_add_up() -> None:
    one = Report(outcomes=[outcome("粤B12345", "粤B12345", 0.9)], pictures=3, texts=2, wrong_texts=1, extra=1)
    whole = summary([one, one])
    assert (len(whole.outcomes), whole.pictures, whole.texts, whole.wrong_texts, whole.extra) == (
        2,
        6,
        4,
        2,
        2,
    )


@pytest.mark.parametrize(("right", "of"), [(0, 10), (10, 10), (97, 100)])
def test_wilson_holds_the_share_and_stays_a_share(right: int, of: int) -> None:
    low, high = wilson(right, of)
    assert 0 <= low <= right / of <= high <= 1


def test_wilson_equals_a_published_value() -> None:
    # R. G. Newcombe (1998), table I: 81 of 263.
    assert wilson(81, 263) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))


def test_overlap_of_boxes() -> None:
    assert overlap((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7)
    assert overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0.0
