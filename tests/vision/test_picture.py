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
    [reading] = read_picture(PICTURE, detector, InTurn(say("粤B12345", 0.9)))
    assert reading.plate.text == "粤B12345"
    assert detector.calls == 1


@pytest.mark.parametrize("near", [BOX * [0.8, 1], None])
def test_a_plate_too_close_is_found_from_further_away(say, near: np.ndarray | None) -> None:
    first = [say(None)] if near is not None else []
    near = near.astype(np.float32) if near is not None else None
    [reading] = read_picture(PICTURE, ByDistance(near, BOX), InTurn(*first, say("粤B12345", 0.9)))
    assert reading.plate.text == "粤B12345"
    assert np.allclose(reading.detection.corners, BOX)


def test_a_worse_second_look_changes_nothing(say) -> None:
    reader = InTurn(say("粤B12345", 0.45), say("粤B12845", 0.4))
    [reading] = read_picture(PICTURE, ByDistance(BOX, BOX + 2), reader)
    assert reading.plate.text == "粤B12345"


def test_a_doubtful_text_is_not_given_but_its_place_and_colour_are(say) -> None:
    [reading] = read_picture(PICTURE, ByDistance(BOX, None), InTurn(say("粤B12345", 0.15)))
    assert (reading.plate.text, reading.plate.positions) == (None, ())
    assert reading.plate.colour == "blue"
    assert read_crop(PICTURE, InTurn(say("粤B12345", 0.15))).plate.text is None
    assert read_crop(PICTURE, InTurn(say("粤B12345", 0.15)), least_confidence=0.1).plate.text == "粤B12345"
