"""Networks in engines: each framework is imported in one module here, when its engine is asked for.

What is loaded here is verified, loaded once and warmed up: the first picture costs what every other costs.
"""

from __future__ import annotations

import importlib.util
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from vision.cards import Weights, open_weights
from vision.detector import SCALE, PlateDetector, letterbox
from vision.errors import EngineMissingError, EngineUnknownError, WeightsUnsuitableError
from vision.reader import INPUT_SHAPE, TEMPERATURE, Limits, PlateReader

if TYPE_CHECKING:
    from vision.backends.onnx import OnnxNetwork
    from vision.backends.openvino import OpenVinoNetwork
    from vision.backends.paddle import PaddleReader
    from vision.backends.torch import TorchNetwork
    from vision.backends.ultralytics import UltralyticsDetector

Precision = Literal["auto", "f32"]
Shape = tuple[int, int, int, int]

DETECTOR: Final = "plate_detector.onnx"
READER: Final = "plate_reader.onnx"
SECOND_READER: Final = "second_reader.onnx"

# Ultralytics runs the detector only; readers beside it run as with "auto".
ENGINES: Final = ("auto", "openvino", "onnx", "torch", "ultralytics")
SECOND_READER_ENGINES: Final = (*ENGINES, "paddle")
# What an engine needs, and the extra that brings it where the default install does not.
PACKAGES: Final[dict[str, tuple[str, str | None]]] = {
    "openvino": ("openvino", None),
    "onnx": ("onnxruntime", "onnx"),
    "torch": ("onnx2torch", "train"),
}
# Height and width of what the detector is made ready for: other pictures cost a little more.
USUAL_FRAME: Final = (720, 1280)


def choose_engine(engine: str) -> Literal["openvino", "onnx", "torch"]:
    """What runs an exported network: for "auto" OpenVINO on x86 where it is installed, else ONNX Runtime."""
    match engine:
        case "openvino" | "onnx" | "torch":
            return engine
        case "auto" | "ultralytics":
            is_x86 = platform.machine().lower() in ("x86_64", "amd64")
            return "openvino" if is_x86 and importlib.util.find_spec("openvino") else "onnx"
        case _:
            raise EngineUnknownError(engine, ENGINES)


def load_detector(
    engine: str = "auto",
    path: Path | str | None = None,
    *,
    precision: Precision = "auto",
    long_side_px: int | None = None,
) -> PlateDetector | UltralyticsDetector:
    """The plate detector, ours or the one at `path`, verified and warm.

    precision: "f32" gives the same answers on every machine; "auto" leaves the choice to the engine.
    long_side_px: the size of the input; the card's, or 640. Raises VisionError.
    """
    weights = open_weights(DETECTOR, Path(path) if path is not None else None)
    size = long_side_px or int(weights.card.get("long_side_px", 640))
    score = float(weights.card.get("score", 0.35))
    blank = np.zeros((*USUAL_FRAME, 3), np.uint8)
    if engine == "ultralytics":
        from vision.backends.ultralytics import UltralyticsDetector

        found = UltralyticsDetector(weights.path, long_side_px=size, score=score)
        found.detect(blank)
        return found
    shape = letterbox(blank, size).batch.shape
    network = load_network(weights, engine, precision, shape, scale=SCALE)
    detector = PlateDetector(network, long_side_px=size, score=score)
    detector.detect(blank)
    return detector


def load_reader(
    engine: str = "auto", path: Path | str | None = None, *, precision: Precision = "auto"
) -> PlateReader:
    """The first reader, which looks at every crop: ours or the one at `path`, verified and warm.

    Raises VisionError.
    """
    weights = open_weights(READER, Path(path) if path is not None else None)
    return _plate_reader(weights, engine, precision)


def load_second_reader(
    engine: str = "auto", path: Path | str | None = None, *, precision: Precision = "auto"
) -> PlateReader | PaddleReader:
    """The second reader, independent of the first: ours or the one at `path`, verified and warm.

    engine: "paddle" runs the same network through PaddleOCR. Raises VisionError.
    """
    if engine not in SECOND_READER_ENGINES:
        raise EngineUnknownError(engine, SECOND_READER_ENGINES)
    weights = open_weights(SECOND_READER, Path(path) if path is not None else None)
    if engine == "paddle":
        from vision.backends.paddle import load_paddle_reader

        notes = load_network(weights, "onnx", precision).notes
        return load_paddle_reader(weights, read_alphabet(weights, notes))
    return _plate_reader(weights, engine, precision)


def load_network(
    weights: Weights,
    engine: str,
    precision: Precision,
    shape: Shape | None = None,
    *,
    by_pixel: bool = False,
    scale: float | None = None,
) -> OpenVinoNetwork | OnnxNetwork | TorchNetwork:
    """The network in an engine, one thread. shape: of the batches that it mostly gets.

    by_pixel: these lie in memory pixel by pixel, as `letterbox` and `reader_input` make them. scale: they are
    pictures, uint8, by pixel, and the network takes their levels times this; else they are float32.
    Raises EngineMissingError, EngineUnknownError, WeightsUnsuitableError.
    """
    chosen = choose_engine(engine)
    try:
        match chosen:
            case "openvino":
                from vision.backends.openvino import OpenVinoNetwork

                return OpenVinoNetwork(weights.content, precision, shape, by_pixel=by_pixel, scale=scale)
            case "onnx":
                from vision.backends.onnx import OnnxNetwork

                return OnnxNetwork(weights.content, scale)
            case "torch":
                from vision.backends.torch import TorchNetwork

                return TorchNetwork(weights.content, scale)
    except ImportError as error:
        raise EngineMissingError(engine, *PACKAGES[chosen]) from error
    except ValueError as error:
        raise WeightsUnsuitableError(weights.path, f"is no network that runs here: {error}") from error


def read_alphabet(weights: Weights, notes: dict[str, str]) -> list[str]:
    """Characters by class, the blank first, from the notes in the weight file (or its card)."""
    text = notes.get("alphabet") or weights.card.get("alphabet")
    if text:
        return ["", *text]
    # Networks of the PP-OCR family name their characters one a line and end with the space.
    if "character" in notes:
        return ["", *notes["character"].split("\n"), " "]
    raise WeightsUnsuitableError(weights.path, "names no alphabet")


def _plate_reader(weights: Weights, engine: str, precision: Precision) -> PlateReader:
    network = load_network(weights, engine, precision, INPUT_SHAPE, by_pixel=True)
    card = weights.card
    limits = Limits(
        temperature=float(card.get("temperature", TEMPERATURE)),
        provinces_oftener=card.get("provinces_oftener", {}),
        letters_oftener=float(card.get("letters_oftener", 1.0)),
    )
    alphabet = read_alphabet(weights, network.notes)
    reader = PlateReader(network, alphabet, limits, batches=network.takes_batches)
    _, _, height, width = INPUT_SHAPE
    reader.read(np.zeros((height, width, 3), np.uint8))
    return reader
