import numpy as np
import pytest

from vision.picture import read_crop, read_picture
from vision.types import Detection

BOX = np.array([[20, 20], [180, 20], [180, 70], [20, 70]], np.float32)


class ByDistance:
    """Finds one box in a picture as it is, another in the same picture seen from further away."""

    def __init__(self, near: np.ndarray | None, far: np.ndarray | None) -> None:
        self.near, self.far = near, far
        self.calls = 0

    def detect(self, image: np.ndarray) -> list[Detection]:
        self.calls += 1
        is_far = image.shape[1] > 200
        box = self.far if is_far else self.near
        if box is None:
            return []
        shift = np.array([image.shape[1] - 200, image.shape[0] - 100], np.float32) / 2
        return [Detection(box + shift, 0.8)]


class InTurn:
    """Says one plate after the other."""

    def __init__(self, *plates) -> None:
        self.plates = list(plates)

    def read(self, crop: np.ndarray, rows=(1,)):
        return self.plates.pop(0)


PICTURE = np.full((100, 200, 3), 90, np.uint8)


def test_a_good_reading_is_looked_at_once(say) -> None:
    detector = ByDistance(BOX, BOX)
    [reading] = read_picture(PICTURE, detector, InTurn(say("粤B12345", 0.98)))
    assert reading.plate.text == "粤B12345"
    assert detector.calls == 1


@pytest.mark.parametrize("near", [BOX * [0.8, 1], None])
def test_a_plate_too_close_is_found_from_further_away(say, near: np.ndarray | None) -> None:
    first = [say(None)] if near is not None else []
    near = near.astype(np.float32) if near is not None else None
    [reading] = read_picture(PICTURE, ByDistance(near, BOX), InTurn(*first, say("粤B12345", 0.98)))
    assert reading.plate.text == "粤B12345"
    assert np.allclose(reading.detection.corners, BOX)


def test_a_worse_second_look_changes_nothing(say) -> None:
    reader = InTurn(say("粤B12345", 0.45), say("粤B12845", 0.4), say("粤B12845", 0.3))
    [reading] = read_picture(PICTURE, ByDistance(BOX, BOX + 2), reader, least_confidence=0.3)
    assert reading.plate.text == "粤B12345"


def test_a_doubtful_text_is_not_given_but_its_place_and_colour_are(say) -> None:
    [reading] = read_picture(PICTURE, ByDistance(BOX, None), InTurn(say("粤B12345", 0.15)))
    assert (reading.plate.text, reading.plate.positions) == (None, ())
    assert reading.plate.colour == "blue"
    assert read_crop(PICTURE, InTurn(say("粤B12345", 0.15))).plate.text is None
    assert read_crop(PICTURE, InTurn(say("粤B12345", 0.15)), least_confidence=0.1).plate.text == "粤B12345"


def test_a_text_is_given_where_it_is_more_likely_right_than_wrong(say) -> None:
    for confidence, text in ((0.49, None), (0.51, "粤B12345")):
        [reading] = read_picture(PICTURE, ByDistance(BOX, None), InTurn(say("粤B12345", confidence)))
        assert reading.plate.text == text
    # Whoever cuts a plate out has said that it is one.
    assert read_crop(PICTURE, InTurn(say("粤B12345", 0.49))).plate.text == "粤B12345"


@pytest.mark.parametrize("left", [-6, 0, 141, 148])
def test_a_plate_that_the_border_cuts_off_is_given_no_text(say, left: int) -> None:
    cut = np.array([[left, 20], [left + 59, 20], [left + 59, 40], [left, 40]], np.float32)
    [reading] = read_picture(PICTURE, ByDistance(cut, None), InTurn(say("粤B12345", 0.99)))
    assert (reading.plate.text, reading.plate.confidence) == (None, 0.0)
    assert np.array_equal(reading.detection.corners, cut)


def test_a_picture_cut_to_its_plate_is_read(say) -> None:
    filled = np.array([[0, 20], [200, 20], [200, 80], [0, 80]], np.float32)
    [reading] = read_picture(PICTURE, ByDistance(filled, None), InTurn(say("粤B12345", 0.99)))
    assert reading.plate.text == "粤B12345"


class Nearer:
    """Finds a plate some pixels off in the whole picture, and in its place where it is looked at alone."""

    def detect(self, image: np.ndarray) -> list[Detection]:
        height, width = image.shape[:2]
        if (width, height) == (200, 100):
            return [Detection(BOX + 4, 0.8)]
        if (width, height) == (400, 200):
            return []
        middle = (BOX + 4).mean(axis=0)
        return [Detection((BOX - middle + [width / 2, height / 2]).astype(np.float32), 0.8)]


def test_an_unsure_plate_is_looked_at_alone_and_the_better_reading_stays(say) -> None:
    reader = InTurn(say("粤B12845", 0.8), say("粤B12345", 0.9))
    [reading] = read_picture(PICTURE, Nearer(), reader)
    assert reading.plate.text == "粤B12345"
    assert np.allclose(reading.detection.corners, BOX, atol=1)

    [reading] = read_picture(PICTURE, Nearer(), InTurn(say("粤B12845", 0.8), say("粤B12345", 0.7)))
    assert reading.plate.text == "粤B12845"
    assert np.allclose(reading.detection.corners, BOX + 4)


class SmallOnes:
    """Finds plates of 40 px only in pictures no wider than 700.

    places: left and top corners in the whole picture, of 1000 x 500; parts are told by what is painted there.
    """

    def __init__(self, *places: tuple[int, int]) -> None:
        self.places = places
        self.sizes: list[tuple[int, int]] = []

    def detect(self, image: np.ndarray) -> list[Detection]:
        height, width = image.shape[:2]
        self.sizes.append((width, height))
        if width > 700:
            return []
        left, top = int(image[0, 0, 0]) * 10, int(image[0, 0, 1]) * 10
        found = []
        for x, y in self.places:
            box = np.array([[x, y], [x + 40, y], [x + 40, y + 12], [x, y + 12]], np.float32) - [left, top]
            inside = (box > -20).all() and (box < [width + 20, height + 20]).all()
            if inside:
                found.append(Detection(np.clip(box, 0, [width, height]).astype(np.float32), 0.8))
        return found


def large_picture() -> np.ndarray:
    """1000 x 500; each pixel tells its place in tens of pixels."""
    picture = np.zeros((500, 1000, 3), np.uint8)
    picture[:, :, 0] = np.arange(1000) // 10
    picture[:, :, 1] = np.arange(500)[:, None] // 10
    return picture


def test_small_plates_of_a_large_picture_are_found_in_its_parts(say) -> None:
    detector = SmallOnes((100, 100), (800, 400))
    found = read_picture(large_picture(), detector, InTurn(say("粤B12345"), say("粤B99999")))
    assert [r.plate.text for r in found] == ["粤B12345", "粤B99999"]
    assert [r.detection.corners[0].tolist() for r in found] == [[100, 100], [800, 400]]
    assert detector.sizes == [(1000, 500), *[(600, 300)] * 4]


def test_what_a_part_cuts_off_is_left_to_the_part_beside_it(say) -> None:
    # In the overlap of the parts, cut by the right border of the left ones, whole in the right ones.
    detector = SmallOnes((585, 100))
    [reading] = read_picture(large_picture(), detector, InTurn(say("粤B12345")))
    assert reading.detection.corners[0].tolist() == [585, 100]
    assert np.ptp(reading.detection.corners[:, 0]) == 40


def test_padding_around_a_cut_plate_is_cut_away(say) -> None:
    rng = np.random.default_rng(0)
    padded = np.full((48, 320, 3), 114, np.uint8)
    padded[:, :140] = rng.integers(0, 255, (48, 140, 3))
    assert read_crop(padded, InTurn(say("粤B12345"))).crop.shape == (48, 140, 3)
    flat = np.full((48, 320, 3), 114, np.uint8)
    assert read_crop(flat, InTurn(say(None))).crop.shape == flat.shape
