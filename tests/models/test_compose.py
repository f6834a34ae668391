"""The geometry of the training pictures: a label must lie where the plate lies."""

import cv2
import numpy as np
import pytest

from models.plate_art.random_plates import KINDS, random_plate, random_text
from models.plate_detector.compose import (
    Sample,
    cut,
    paste,
    random_corners,
    target_of,
    transform,
    visible_share,
    widen,
    window,
)
from models.plate_detector.dataset import label_line
from vision.plates import kind_of
from vision.rectify import is_plausible, level

SQUARE = np.array([[100, 80], [220, 90], [215, 130], [98, 118]], np.float32)


def test_pasted_plate_fills_its_corners_and_nothing_else() -> None:
    ground = np.zeros((240, 320, 3), np.uint8)
    pasted = paste(ground, np.full((140, 440, 3), 255, np.uint8), SQUARE)
    mask = np.zeros((240, 320), np.uint8)
    cv2.fillPoly(mask, [np.round(SQUARE).astype(np.int32)], 255)
    inside = cv2.erode(mask, np.ones((5, 5), np.uint8)) > 0
    outside = cv2.dilate(mask, np.ones((5, 5), np.uint8)) == 0
    assert pasted[inside].min() > 245
    assert pasted[outside].max() < 5
    assert not ground.any()


def test_first_corner_is_where_the_plate_begins() -> None:
    plate = np.zeros((140, 440, 3), np.uint8)
    plate[:70, :220] = 255
    pasted = paste(np.full((240, 320, 3), 100, np.uint8), plate, SQUARE)
    middle = SQUARE.mean(axis=0)
    brightness = [int(pasted[tuple(np.round((c + middle) / 2).astype(int)[::-1])].mean()) for c in SQUARE]
    assert brightness[0] > 200
    assert max(brightness[1:]) < 50


def test_levelling_a_pasted_plate_gives_the_plate_back() -> None:
    plate = random_plate(np.random.default_rng(5), "blue").picture
    pasted = paste(np.full((240, 320, 3), 100, np.uint8), plate, SQUARE)
    levelled = level(pasted, SQUARE)
    straight = level(plate, np.array([[0, 0], [440, 0], [440, 140], [0, 140]], np.float32))
    size = (84, 24)
    difference = np.abs(cv2.resize(levelled, size).astype(float) - cv2.resize(straight, size))
    # The margin around it is another ground, so only the plate itself is compared.
    assert difference[3:-3, 4:-4].mean() < 20


def test_widening_keeps_the_middle_and_the_direction() -> None:
    flat = np.array([[0, 0], [100, 0], [100, 30], [0, 30]], np.float32)
    wide = widen(flat, 1.2, 2.0)
    assert np.allclose(wide, [[-10, -15], [110, -15], [110, 45], [-10, 45]], atol=1e-3)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_window_gives_the_plate_its_share_of_the_width(share: float) -> None:
    target = target_of(SQUARE)
    matrix = window(target.box, (512, 384), share, np.random.default_rng(1))
    x1, _, x2, _ = target_of(transform(SQUARE, matrix)).box
    assert (x2 - x1) / 512 == pytest.approx(share, rel=1e-3)


def test_cut_moves_picture_and_label_together() -> None:
    scene = paste(np.zeros((240, 320, 3), np.uint8), np.full((14, 44, 3), 255, np.uint8), SQUARE)
    matrix = window(target_of(SQUARE).box, (256, 256), 0.6, np.random.default_rng(3))
    cut_out = cut(Sample(scene, [target_of(SQUARE)]), matrix, (256, 256))
    found = cut_out.targets[0].corners
    assert found is not None
    centre = tuple(np.round(found.mean(axis=0)).astype(int)[::-1])
    assert cut_out.image[centre].min() > 250


def test_plate_outside_the_window_is_no_longer_a_target() -> None:
    matrix = np.array([[1, 0, -400], [0, 1, 0], [0, 0, 1]], np.float64)
    assert (
        cut(Sample(np.zeros((240, 320, 3), np.uint8), [target_of(SQUARE)]), matrix, (100, 100)).targets == []
    )


def test_visible_share_of_a_half_cut_box_is_a_half() -> None:
    corners = np.array([[-50, 0], [50, 0], [50, 20], [-50, 20]], np.float32)
    assert visible_share(target_of(corners), (100, 100)) == pytest.approx(0.5)


def test_label_has_box_and_four_corners_relative_to_the_picture() -> None:
    numbers = [float(v) for v in label_line(target_of(SQUARE), 320, 240).split()]
    assert len(numbers) == 5 + 4 * 3
    assert numbers[1:5] == pytest.approx([159 / 320, 105 / 240, 122 / 320, 50 / 240], abs=1e-4)
    assert numbers[5:8] == pytest.approx([100 / 320, 80 / 240, 2], abs=1e-4)


def test_corner_outside_the_picture_is_labelled_invisible() -> None:
    corners = SQUARE - np.array([150, 0], np.float32)
    numbers = [float(v) for v in label_line(target_of(corners), 320, 240).split()]
    assert numbers[5:8] == [0, 0, 0]
    assert numbers[10] == 2


def test_random_views_are_views_a_camera_may_have() -> None:
    rng = np.random.default_rng(11)
    views = [random_corners((200, 150), 120, 440 / 140, rng) for _ in range(200)]
    assert sum(is_plausible(view) for view in views) >= 198


@pytest.mark.parametrize("kind", list(KINDS))
def test_random_texts_obey_the_grammar(kind: str) -> None:
    rng = np.random.default_rng(4)
    for _ in range(200):
        text = random_text(rng, kind)
        found = kind_of(text)
        assert found is not None, text
        assert kind.split()[0] in found.colours, text
