"""The engines of the extras, each in an environment of its own."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from vision.backends import (
    SECOND_READER,
    load_detector,
    load_network,
    load_reader,
    load_second_reader,
    read_alphabet,
)
from vision.cards import WEIGHTS, open_weights
from vision.errors import EngineMissingError, WeightsMissingError
from vision.plate_art import draw_plate

PLATES = [
    ("粤B12345", "blue"),
    ("京AD06088", "green"),
    ("沪D29275", "yellow"),
    ("鲁L88K8Z", "blue"),
    ("新K4Q7F0", "blue"),
    ("琼A5577警", "white"),
]


def picture_with_plate() -> np.ndarray:
    picture = np.full((360, 640, 3), (70, 75, 80), np.uint8)
    plate = cv2.resize(draw_plate("粤B12345", "blue"), (150, 48), interpolation=cv2.INTER_AREA)
    picture[180:228, 250:400] = cv2.GaussianBlur(plate, (0, 0), 0.7)
    return picture


@pytest.mark.train
def test_ultralytics_finds_what_our_own_decoding_finds() -> None:
    pytest.importorskip("ultralytics")
    from vision.backends.ultralytics import UltralyticsDetector

    picture = picture_with_plate()
    path = WEIGHTS / "plate_detector.onnx"
    [theirs, *_] = UltralyticsDetector(path, "cpu").detect(picture)
    [ours, *_] = load_detector("onnx", long_side_px=640).detect(picture)
    assert np.allclose(theirs.corners, ours.corners, atol=3.0)
    assert theirs.score == pytest.approx(ours.score, abs=0.05)


@pytest.mark.train
def test_the_engine_ultralytics_is_a_detector_like_the_others() -> None:
    pytest.importorskip("ultralytics")
    picture = picture_with_plate()
    [theirs, *_] = load_detector("ultralytics").detect(picture)
    [ours, *_] = load_detector("onnx").detect(picture)
    assert np.allclose(theirs.corners, ours.corners, atol=3.0)
    assert theirs.score == pytest.approx(ours.score, abs=0.05)


@pytest.mark.train
def test_the_networks_say_the_same_in_torch() -> None:
    pytest.importorskip("onnx2torch")
    picture = picture_with_plate()
    [a, *_], [b, *_] = (load_detector(e, precision="f32").detect(picture) for e in ("torch", "onnx"))
    assert np.allclose(a.corners, b.corners, atol=0.5)
    assert a.score == pytest.approx(b.score, abs=0.01)
    crop = cv2.resize(draw_plate("沪D29275", "yellow"), (168, 48), interpolation=cv2.INTER_AREA)
    for load in (load_reader, load_second_reader):
        said, expected = (load(e, precision="f32").read(crop) for e in ("torch", "onnx"))
        assert said.text == expected.text == "沪D29275"
        assert said.confidence == pytest.approx(expected.confidence, abs=0.01)


@pytest.mark.train
def test_the_reference_of_the_benchmark_is_stock_yolo11n(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ultralytics = pytest.importorskip("ultralytics")
    import onnx

    from api.commands.bench_reference.yolo11 import multiply_adds, yolo11n

    monkeypatch.chdir(tmp_path)
    stock = ultralytics.YOLO("yolo11n.yaml")
    exported = onnx.load(stock.export(format="onnx", imgsz=640, simplify=True))
    ours, parameters = yolo11n()
    assert parameters == pytest.approx(sum(p.numel() for p in stock.model.parameters()), rel=0.01)
    assert multiply_adds(ours) == pytest.approx(multiply_adds(exported), rel=0.02)
    shapes = [
        [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim] for model in (ours, exported)
    ]
    assert shapes[0] == shapes[1] == [1, 84, 8400]


@pytest.mark.paddle
def test_the_second_reader_says_the_same_through_paddleocr() -> None:
    pytest.importorskip("paddleocr")
    theirs, ours = load_second_reader("paddle"), load_second_reader("onnx")
    for text, colour in PLATES:
        crop = cv2.resize(draw_plate(text, colour), (252, 72), interpolation=cv2.INTER_AREA)
        crop = cv2.GaussianBlur(crop, (0, 0), 1.5)
        a, b = theirs.read(crop), ours.read(crop)
        assert a.text == b.text, text
        assert a.colour == b.colour == colour
        # PaddleOCR knows one mean score a text, our decoder each character.
        if a.text is not None:
            mean = np.mean([position[0][1] for position in b.positions])
            assert a.positions[0][0][1] == pytest.approx(mean, abs=0.1)
            assert 0.5 < a.confidence <= 1.0


@pytest.mark.paddle
def test_paddle_reads_a_drawn_plate_from_a_local_folder(tmp_path: Path) -> None:
    pytest.importorskip("paddleocr")
    from vision.backends.paddle import PaddleReader, write_model_folder

    weights = open_weights(SECOND_READER)
    notes = load_network(weights, "onnx", "f32").notes
    write_model_folder(tmp_path, weights.content, read_alphabet(weights, notes))
    crop = cv2.resize(draw_plate("粤B12345", "blue"), (336, 96), interpolation=cv2.INTER_AREA)
    said = PaddleReader(tmp_path).read(crop)
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
