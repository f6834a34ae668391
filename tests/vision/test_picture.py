import cv2
import numpy as np
import pytest

from vision.picture import read_crop, read_picture
from vision.types import Detection

BOX = np.array([[20, 20], [180, 20], [180, 70], [20, 70]], np.float32)


class ByDistance:
    """Finds one box in the picture as it is, another in the same picture seen from further away."""

    def __init__(self, near: np.ndarray | None, far: np.ndarray | None) -> None:
        self.near, self.far = near, far
        self.calls = 0

    def detect(self, image: np.ndarray) -> list[Detection]:
        self.calls += 1
        box = {200: self.near, 400: self.far}.get(image.shape[1])
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


class Painted:
    """Finds the box around what is painted white: it sees where a plate lies, and not that it leans."""

    def __init__(self, *, whole_picture_off_px: int = 0) -> None:
        self.off_px = whole_picture_off_px
        self.calls = 0

    def detect(self, image: np.ndarray) -> list[Detection]:
        self.calls += 1
        ys, xs = np.nonzero(image[:, :, 0] > 230)
        if not len(xs):
            return []
        x1, y1, x2, y2 = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
        box = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float32)
        return [Detection(box + (self.off_px if self.calls == 1 else 0), 0.8)]


class ByCut:
    """Reads one text where the cut is filled by the plate, another where it is not."""

    def __init__(self, filled, askew) -> None:
        self.filled, self.askew = filled, askew

    def read(self, crop: np.ndarray, rows=(1,)):
        return self.filled if (crop[4:-4, 4:-4] > 128).mean() > 0.97 else self.askew


def painted(corners: np.ndarray) -> np.ndarray:
    """A dark picture, 400 x 300, with a white plate."""
    picture = np.full((300, 400, 3), 60, np.uint8)
    cv2.fillPoly(picture, [corners.round().astype(np.int32)], (255, 255, 255))
    return picture


UPRIGHT = np.array([[140, 120], [260, 120], [260, 158], [140, 158]], np.float32)


def test_an_unsure_plate_is_found_anew_in_windows_around_it(say) -> None:
    detector = Painted(whole_picture_off_px=5)
    reader = ByCut(filled=say("粤B12345", 0.9), askew=say("粤B12845", 0.8))
    [reading] = read_picture(painted(UPRIGHT), detector, reader)
    assert reading.plate.text == "粤B12345"
    assert np.allclose(reading.detection.corners, UPRIGHT, atol=1.5)
    assert detector.calls == 1 + 6
    # Six looks at one picture are no surer than each of them.
    assert reading.plate.confidence == pytest.approx(0.9, abs=0.005)


@pytest.mark.parametrize("lean", [0.4, -0.4])
def test_how_a_plate_leans_is_seen_in_a_window_that_leans_against_it(say, lean: float) -> None:
    leaning = UPRIGHT.copy()
    leaning[:, 0] -= lean * (UPRIGHT[:, 1] - UPRIGHT[:, 1].mean())
    reader = ByCut(filled=say("粤B12345", 0.95), askew=say("粤B12845", 0.3))
    detector = Painted()
    [reading] = read_picture(painted(leaning), detector, reader)
    assert reading.plate.text == "粤B12345"
    assert np.allclose(reading.detection.corners, leaning, atol=2.5)


def test_what_is_likelier_right_than_wrong_is_not_looked_at_aslant(say) -> None:
    for confidence, calls in ((0.98, 1), (0.6, 1 + 6), (0.4, 2 + 6 + 2), (0.03, 2 + 1)):
        detector, plate = Painted(), say("粤B12345", confidence)
        read_picture(painted(UPRIGHT), detector, ByCut(plate, plate))
        assert detector.calls == calls, confidence


def test_a_plate_that_no_window_shows_keeps_its_reading(say) -> None:
    [reading] = read_picture(PICTURE, ByDistance(BOX, None), InTurn(say("粤B12345", 0.8)))
    assert (reading.plate.text, reading.plate.confidence) == ("粤B12345", 0.8)
    assert np.allclose(reading.detection.corners, BOX)


def test_a_cut_plate_that_nobody_levelled_is_levelled_where_there_is_a_detector(say) -> None:
    turned = np.array([[8, 4], [150, 24], [147, 60], [5, 40]], np.float32)
    crop = painted(turned)[:66, :156]
    reader = ByCut(filled=say("贵A096K9", 0.9), askew=say("冀A096K9", 0.6))
    assert read_crop(crop, reader).plate.text == "冀A096K9"
    assert read_crop(crop, reader, Turned(turned)).plate.text == "贵A096K9"


class Turned:
    """Finds a plate of known corners by the middle of what is white."""

    def __init__(self, corners: np.ndarray) -> None:
        self.corners = corners

    def detect(self, image: np.ndarray) -> list[Detection]:
        ys, xs = np.nonzero(image[:, :, 0] > 230)
        middle = np.array([xs.min() + xs.max() + 1, ys.min() + ys.max() + 1], np.float32) / 2
        known = (self.corners.min(axis=0) + self.corners.max(axis=0)) / 2
        return [Detection((self.corners - known + middle).astype(np.float32), 0.8)]


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
