"""The engines of the extras, each in an environment of its own."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from vision.backends import load_detector
from vision.cards import WEIGHTS
from vision.errors import EngineMissingError, WeightsMissingError
from vision.plate_art import draw_plate


def picture_with_plate() -> np.ndarray:
    picture = np.full((360, 640, 3), (70, 75, 80), np.uint8)
    plate = cv2.resize(draw_plate("粤B12345", "blue"), (150, 48), interpolation=cv2.INTER_AREA)
    picture[180:228, 250:400] = cv2.GaussianBlur(plate, (0, 0), 0.7)
    return picture


def paddle_folder(folder: Path) -> Path:
    """Our reader as PaddleOCR wants a network; its notes are YAML, of which JSON is a part."""
    from vision.backends.onnx import OnnxNetwork

    content = (WEIGHTS / "plate_reader.onnx").read_bytes()
    (folder / "inference.onnx").write_bytes(content)
    steps = [
        {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
        {"RecResizeImg": {"image_shape": [3, 48, 168]}},
        {"KeepKeys": {"keep_keys": ["image"]}},
    ]
    alphabet = list(OnnxNetwork(content).notes["alphabet"])
    notes = {
        "Global": {"model_name": "PP-OCRv4_mobile_rec"},
        "PreProcess": {"transform_ops": steps},
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": alphabet},
    }
    (folder / "inference.yml").write_text(json.dumps(notes, ensure_ascii=False), encoding="utf-8")
    return folder


@pytest.mark.train
def test_ultralytics_finds_what_our_own_decoding_finds() -> None:
    pytest.importorskip("ultralytics")
    from vision.backends.ultralytics import UltralyticsDetector

    picture = picture_with_plate()
    path = WEIGHTS / "plate_detector.onnx"
    [theirs, *_] = UltralyticsDetector(path).detect(picture)
    [ours, *_] = load_detector("onnx").detect(picture)
    assert np.allclose(theirs.corners, ours.corners, atol=3.0)
    assert theirs.score == pytest.approx(ours.score, abs=0.05)


@pytest.mark.paddle
def test_paddle_reads_a_drawn_plate_from_a_local_folder(tmp_path: Path) -> None:
    pytest.importorskip("paddleocr")
    from vision.backends.paddle import PaddleReader

    crop = cv2.resize(draw_plate("粤B12345", "blue"), (336, 96), interpolation=cv2.INTER_AREA)
    said = PaddleReader(paddle_folder(tmp_path)).read(crop)
    assert said.text == "粤B12345"
    assert said.colour == "blue"
    assert 0.5 < said.confidence <= 1.0


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    from vision.backends.paddle import PaddleReader

    with pytest.raises(WeightsMissingError, match=r"inference\.yml"):
        PaddleReader(tmp_path)


@pytest.mark.skipif(shutil.which("yolo") is not None, reason="ultralytics is installed")
def test_an_engine_whose_framework_is_missing_says_so() -> None:
    try:
        import ultralytics  # noqa: F401
    except ImportError:
        from vision.backends.ultralytics import UltralyticsDetector

        with pytest.raises(EngineMissingError, match="ultralytics"):
            UltralyticsDetector(WEIGHTS / "plate_reader.onnx")
