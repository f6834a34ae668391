import cv2
import numpy as np
import pytest

from vision.detector import PlateDetector, decode_poses, letterbox, resized

PLATE = np.array([[100, 60], [180, 62], [180, 90], [100, 88]], np.float32)


class ScriptedNetwork:
    """Answers with poses given in pixels of the picture."""

    def __init__(self, poses: list[tuple[np.ndarray, float]], per_corner: int = 3) -> None:
        self.poses = poses
        self.per_corner = per_corner
        self.shape: tuple[int, ...] = ()

    def run(self, batch: np.ndarray) -> np.ndarray:
        self.shape = batch.shape
        boxed = letterbox(np.zeros((720, 1280, 3), np.uint8), 640)
        raw = np.zeros((1, 5 + 4 * self.per_corner, max(len(self.poses), 1)), np.float32)
        for i, (corners, score) in enumerate(self.poses):
            inside = corners * boxed.scale + [boxed.left, boxed.top]
            low, high = inside.min(axis=0), inside.max(axis=0)
            raw[0, :4, i] = [*((low + high) / 2), *(high - low)]
            raw[0, 4, i] = score
            visible = np.ones((4, self.per_corner - 2))
            raw[0, 5:, i] = np.hstack([inside, visible]).ravel()
        return raw


def detect(poses: list[tuple[np.ndarray, float]], per_corner: int = 3) -> tuple[list, ScriptedNetwork]:
    network = ScriptedNetwork(poses, per_corner)
    found = PlateDetector(network, long_side_px=640).detect(np.zeros((720, 1280, 3), np.uint8))
    return found, network


@pytest.mark.parametrize("per_corner", [2, 3])
def test_corners_come_back_in_pixels_of_the_picture(per_corner: int) -> None:
    [found], network = detect([(PLATE, 0.9)], per_corner)
    assert network.shape == (1, 3, 384, 640)
    assert np.allclose(found.corners, PLATE, atol=0.01)
    assert found.score == pytest.approx(0.9)


def test_of_overlapping_plates_the_best_stays_and_neighbours_stay_too() -> None:
    found, _ = detect(
        [(PLATE + 3, 0.6), (PLATE, 0.9), (PLATE + np.float32([90, 0]), 0.7), (PLATE + 300, 0.2)]
    )
    assert [round(d.score, 1) for d in found] == [0.9, 0.7]


def test_an_upside_down_plate_is_no_plate() -> None:
    assert detect([(np.roll(PLATE, 2, axis=0), 0.9)])[0] == []


def test_corners_far_outside_the_picture_are_drawn_in() -> None:
    [found], _ = detect([(PLATE - [140, 0], 0.9)])
    assert found.corners[:, 0].min() >= -0.05 * 1280


def test_an_empty_answer_is_no_plate() -> None:
    boxed = letterbox(np.zeros((100, 100, 3), np.uint8), 640)
    assert decode_poses(np.zeros((17, 0), np.float32), boxed, (100, 100), 0.3, 0.5) == []


@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [
        (720, 1280, (384, 640)),
        (1080, 1920, (384, 640)),
        (640, 480, (640, 480)),
        (100, 100, (640, 640)),
        (3, 900, (32, 640)),
    ],
)
def test_the_input_is_a_rectangle_of_whole_strides(height: int, width: int, shape: tuple[int, int]) -> None:
    picture = np.full((height, width, 3), (10, 20, 30), np.uint8)
    boxed = letterbox(picture, 640)
    assert boxed.batch.shape == (1, 3, *shape)
    middle = boxed.batch[0, :, shape[0] // 2, shape[1] // 2]
    assert middle.tolist() == [30, 20, 10]


@pytest.mark.parametrize("width", [640, 448, 320, 200])
def test_a_picture_is_made_smaller_as_by_means_over_areas(width: int) -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (90, 160, 3)).astype(np.uint8)
    picture = cv2.resize(noise, (1280, 720), interpolation=cv2.INTER_CUBIC)
    height = width * 9 // 16
    means = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(int)
    away = np.abs(resized(picture, width, height).astype(int) - means)
    assert away.mean() < 3.0
    assert (resized(picture, 640, 360) == cv2.resize(picture, (640, 360), interpolation=cv2.INTER_AREA)).all()


def test_fine_stripes_do_not_alias() -> None:
    stripes = np.zeros((720, 1280, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.ptp(resized(stripes, 448, 252).astype(int)) <= 2
