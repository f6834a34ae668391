"""Real labelled pictures, where this machine has them."""

import os
from pathlib import Path

import pytest

from vision.backends import load_detector, load_reader, load_second_reader
from vision.ensemble import BothReaders
from vision.labelled import LabelledPicture, add_picture, read_labels
from vision.metrics import Report
from vision.pipeline import read_crop, read_picture

DATA = next(
    (p / "shared" / "data" for p in Path(__file__).resolve().parents if (p / "shared" / "data").is_dir()),
    None,
)

pytestmark = pytest.mark.data


@pytest.fixture(scope="module", autouse=True)
def _labelled_pictures() -> None:
    if DATA is None:
        if os.environ.get("PLATEPAY_REQUIRE_DATA") == "1":
            pytest.fail("../shared/data is not there, and PLATEPAY_REQUIRE_DATA=1 asks for it")
        pytest.skip("no labelled pictures: ../shared/data is not there")


def some(name: str, every: int) -> list[LabelledPicture]:
    return read_labels(DATA / name / "labels.csv")[::every]


def read_image(path: Path):
    import cv2

    return cv2.imread(str(path))


def both_readers() -> BothReaders:
    return BothReaders(load_reader(precision="f32"), load_second_reader(precision="f32"))


def measure_crops(name: str, every: int) -> Report:
    report, reader = Report(), both_readers()
    for picture in some(name, every):
        add_picture(report, picture, [read_crop(read_image(picture.path), reader)])
    return report


def exact_share(report: Report) -> float:
    return sum(o.is_exact for o in report.outcomes) / len(report.outcomes)


@pytest.mark.parametrize(("name", "every"), [("dev/lprnet_test", 40), ("dev/lyl8213_crops", 30)])
def test_real_crops_are_read(name: str, every: int) -> None:
    assert exact_share(measure_crops(name, every)) >= 0.95


def test_cut_plates_that_nobody_levelled_are_read_better_with_a_detector() -> None:
    right = {}
    readers = both_readers()
    for detector in (None, load_detector(precision="f32")):
        report = Report()
        for picture in some("dev/edenatoniuma_crops", 1):
            add_picture(report, picture, [read_crop(read_image(picture.path), readers, detector)])
        right[detector is not None] = sum(o.is_exact for o in report.outcomes)
    assert right[True] >= right[False] + 2


def test_real_pictures_are_read_end_to_end() -> None:
    report = Report()
    detector, reader = load_detector(precision="f32"), both_readers()
    for picture in some("dev/passerbyzzz_provinces", 5):
        add_picture(report, picture, read_picture(read_image(picture.path), detector, reader))
    assert report.found_boxes / report.labelled_boxes >= 0.95
    assert exact_share(report) >= 0.9


@pytest.mark.parametrize(("name", "every"), [("train/negatives", 9), ("dev/openalpr_foreign", 6)])
def test_no_plate_of_this_country_is_read_where_none_is(name: str, every: int) -> None:
    detector, reader = load_detector(precision="f32"), both_readers()
    for picture in some(name, every):
        texts = [r.plate.text for r in read_picture(read_image(picture.path), detector, reader)]
        assert not any(texts), picture.path.name
