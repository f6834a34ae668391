"""Weights are verified before they are loaded, and every engine says the same."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from vision.backends import choose_engine, load_detector, load_network, load_reader, load_second_reader
from vision.cards import CARDS, WEIGHTS, open_weights
from vision.errors import (
    EngineUnknownError,
    WeightsCorruptedError,
    WeightsMissingError,
    WeightsUnsuitableError,
)
from vision.pipeline import read_picture
from vision.plate_art import draw_plate

READER = WEIGHTS / "plate_reader.onnx"
DETECTOR = WEIGHTS / "plate_detector.onnx"
ENGINES = ("openvino", "onnx")
PLATES = [("粤B12345", "blue"), ("京AD06088", "green"), ("沪D29275", "yellow"), ("鲁L88K8Z", "blue")]


def photograph(text: str, colour: str, rng: np.random.Generator) -> np.ndarray:
    """A drawn plate, small, tilted, on a grey picture with noise."""
    plate = draw_plate(text, colour)
    h, w = plate.shape[:2]
    flat = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    seen = np.array([[250, 180], [390, 186], [389, 230], [249, 224]], np.float32)
    picture = np.full((360, 640, 3), (70, 75, 80), np.uint8)
    cv2.rectangle(picture, (200, 100), (440, 260), (40, 40, 45), -1)
    matrix = cv2.getPerspectiveTransform(flat, seen)
    small = cv2.GaussianBlur(plate, (0, 0), 1.2)
    cv2.warpPerspective(small, matrix, (640, 360), picture, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
    return np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def readers() -> dict:
    return {engine: load_reader(engine, precision="f32") for engine in ENGINES}


@pytest.mark.parametrize(("text", "colour"), PLATES)
def test_engines_read_the_same(readers: dict, text: str, colour: str) -> None:
    crop = cv2.resize(draw_plate(text, colour), (168, 48), interpolation=cv2.INTER_AREA)
    a, b = (readers[engine].read(crop) for engine in ENGINES)
    assert a.text == b.text
    assert a.colour == b.colour == colour
    assert a.confidence == pytest.approx(b.confidence, abs=0.01)
    for x, y in zip(a.positions, b.positions, strict=True):
        other = dict(y)
        assert all(abs(p - other.get(c, 0.0)) < 0.01 for c, p in x)


def test_drawn_plates_are_read(readers: dict) -> None:
    crops = [cv2.resize(draw_plate(*plate), (168, 48), interpolation=cv2.INTER_AREA) for plate in PLATES]
    read = [readers["openvino"].read(crop).text for crop in crops]
    assert sum(r == text for r, (text, _) in zip(read, PLATES, strict=True)) >= 3


@pytest.mark.skipif(not DETECTOR.exists(), reason="the detector is not built yet")
def test_engines_find_the_same_plate() -> None:
    picture = photograph("粤B12345", "blue", np.random.default_rng(0))
    found = [load_detector(engine, precision="f32").detect(picture) for engine in ENGINES]
    assert len(found[0]) == len(found[1]) >= 1
    assert np.allclose(found[0][0].corners, found[1][0].corners, atol=0.5)
    assert found[0][0].score == pytest.approx(found[1][0].score, abs=0.01)


@pytest.mark.skipif(not DETECTOR.exists(), reason="the detector is not built yet")
def test_a_picture_is_read_and_not_changed(readers: dict) -> None:
    picture = photograph("粤B12345", "blue", np.random.default_rng(0))
    before = picture.copy()
    readings = read_picture(picture, load_detector(precision="f32"), readers["openvino"])
    assert (picture == before).all()
    assert "粤B12345" in [reading.plate.text for reading in readings]


def test_the_second_reader_says_the_same_in_both_engines() -> None:
    crop = cv2.resize(draw_plate("沪D29275", "yellow"), (168, 48), interpolation=cv2.INTER_AREA)
    a, b = (load_second_reader(engine, precision="f32").read(crop) for engine in ENGINES)
    assert a.text == b.text == "沪D29275"
    assert a.confidence == pytest.approx(b.confidence, abs=0.01)


def test_a_batch_of_another_shape_than_expected_gets_the_same_answers() -> None:
    weights = open_weights("plate_reader.onnx")
    usual = load_network(weights, "openvino", "f32", (1, 3, 48, 168))
    batch = np.random.default_rng(0).uniform(-1, 1, (3, 3, 48, 168)).astype(np.float32)
    one_by_one = np.concatenate([usual.run(batch[i : i + 1]) for i in range(3)])
    assert np.abs(usual.run(batch) - one_by_one).max() < 1e-4


def test_how_a_batch_lies_in_memory_changes_no_answer() -> None:
    weights = open_weights("plate_reader.onnx")
    shape = (1, 3, 48, 168)
    plain = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    by_pixel = np.ascontiguousarray(plain.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    networks = [load_network(weights, "openvino", "f32", shape, by_pixel=flag) for flag in (False, True)]
    networks.append(load_network(weights, "onnx", "f32", shape, by_pixel=True))
    answers = [network.run(batch) for network in networks for batch in (plain, by_pixel)]
    assert all(np.abs(answer - answers[0]).max() < 1e-4 for answer in answers)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("size", [(224, 384), (384, 224)])
def test_a_network_says_the_same_of_a_picture_as_of_its_levels_as_numbers(
    engine: str, size: tuple[int, int]
) -> None:
    weights = open_weights("plate_detector.onnx")
    usual = (1, 3, 224, 384)
    noise = np.random.default_rng(0).integers(0, 256, (1, *size, 3)).astype(np.uint8)
    picture = noise.transpose(0, 3, 1, 2)
    shown = load_network(weights, engine, "f32", usual, scale=1 / 255).run(picture)
    numbers = np.ascontiguousarray(picture / np.float32(255))
    assert np.abs(shown - load_network(weights, engine, "f32", usual).run(numbers)).max() < 1e-3


@pytest.mark.parametrize("engine", ENGINES)
def test_crops_read_together_say_what_they_say_alone(readers: dict, engine: str) -> None:
    crops = [cv2.resize(draw_plate(*plate), (200, 57), interpolation=cv2.INTER_AREA) for plate in PLATES]
    crops.append(cv2.resize(draw_plate("粤B12345", "yellow", rows=2), (200, 57)))
    rows = [(1,)] * len(PLATES) + [(1, 2)]
    together = readers[engine].read_many(crops, rows)
    for crop, counts, said in zip(crops, rows, together, strict=True):
        alone = readers[engine].read(crop, counts)
        assert said.text == alone.text
        assert said.confidence == pytest.approx(alone.confidence, abs=1e-3)
    assert readers[engine].read_many([], []) == []


def test_noise_and_blank_crops_are_no_plate(readers: dict) -> None:
    rng = np.random.default_rng(0)
    crops = [np.full((48, 168, 3), v, np.uint8) for v in (0, 128, 255)]
    crops += [rng.integers(0, 256, (48, 168, 3)).astype(np.uint8) for _ in range(5)]
    assert [readers["openvino"].read(crop).text for crop in crops] == [None] * len(crops)


def folder_with(tmp_path: Path, content: bytes, sha256: str) -> Path:
    path = tmp_path / "plate_reader.onnx"
    path.write_bytes(content)
    (tmp_path / CARDS).write_text(json.dumps([{"file": path.name, "sha256": sha256}]), encoding="utf-8")
    return path


def test_a_weight_file_with_one_changed_byte_is_refused(tmp_path: Path) -> None:
    content = bytearray(READER.read_bytes())
    expected = hashlib.sha256(content).hexdigest()
    content[len(content) // 2] ^= 1
    path = folder_with(tmp_path, bytes(content), expected)
    with pytest.raises(WeightsCorruptedError) as caught:
        load_reader("onnx", path)
    actual = hashlib.sha256(content).hexdigest()
    assert (caught.value.expected, caught.value.actual) == (expected, actual)
    assert all(word in str(caught.value) for word in ("plate_reader.onnx", expected, actual))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_that_is_no_network_is_named(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "reader.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(WeightsUnsuitableError, match=r"reader\.onnx"):
        load_reader(engine, path)


def test_a_weight_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissingError, match=r"nowhere\.onnx"):
        load_reader("onnx", tmp_path / "nowhere.onnx")


def test_a_file_without_a_card_of_ours_is_not_loaded() -> None:
    with pytest.raises(WeightsMissingError, match="no card"):
        open_weights("another.onnx")


@pytest.mark.skipif(not DETECTOR.exists(), reason="the detector is not built yet")
def test_a_network_without_an_alphabet_is_no_reader(tmp_path: Path) -> None:
    path = tmp_path / "reader.onnx"
    shutil.copy(DETECTOR, path)
    with pytest.raises(WeightsUnsuitableError, match="alphabet"):
        load_reader("onnx", path)


def test_shipped_weights_are_those_of_their_cards() -> None:
    for path in {*WEIGHTS.iterdir()} - {WEIGHTS / CARDS}:
        assert open_weights(path.name).card["licence"]


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(EngineUnknownError, match="tensorrt"):
        choose_engine("tensorrt")
    with pytest.raises(EngineUnknownError, match="paddle"):
        load_second_reader("tensorrt")


def test_vision_imports_no_framework_until_asked() -> None:
    code = (
        "import sys, vision, vision.pipeline, vision.metrics, vision.draw, vision.posterior, vision.backends;"
        "found = {'openvino', 'onnxruntime', 'torch', 'ultralytics', 'paddleocr'} & set(sys.modules);"
        "sys.exit(', '.join(found) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
