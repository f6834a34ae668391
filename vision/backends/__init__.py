"""Networks in engines: each framework is imported in one module here, when its engine is asked for."""

from __future__ import annotations

import importlib.util
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from vision.cards import Weights, open_weights
from vision.detector import PlateDetector
from vision.errors import EngineMissingError, EngineUnknownError, WeightsUnsuitableError
from vision.reader import TEMPERATURE, Limits, PlateReader

if TYPE_CHECKING:
    from vision.backends.onnx import OnnxNetwork
    from vision.backends.openvino import OpenVinoNetwork

Engine = Literal["auto", "openvino", "onnx"]
Precision = Literal["auto", "f32"]

DETECTOR: Final = "plate_detector.onnx"
READER: Final = "plate_reader.onnx"
ENGINES: Final = ("auto", "openvino", "onnx")


def choose_engine(engine: str) -> Literal["openvino", "onnx"]:
    """What `auto` means on this machine: OpenVINO on x86 where it is installed, else ONNX Runtime."""
    match engine:
        case "openvino" | "onnx":
            return engine
        case "auto":
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
) -> PlateDetector:
    """The plate detector, ours or the one at `path`, verified.

    precision: "f32" gives the same answers on every machine; "auto" leaves the choice to the engine.
    long_side_px: the size of the input; the card's, or 640. Raises VisionError.
    """
    weights = open_weights(DETECTOR, Path(path) if path is not None else None)
    network = load_network(weights, engine, precision)
    size = long_side_px or int(weights.card.get("long_side_px", 640))
    return PlateDetector(network, long_side_px=size, score=float(weights.card.get("score", 0.35)))


def load_reader(
    engine: str = "auto", path: Path | str | None = None, *, precision: Precision = "auto"
) -> PlateReader:
    """The plate reader, ours or the one at `path`, verified. Raises VisionError."""
    weights = open_weights(READER, Path(path) if path is not None else None)
    network = load_network(weights, engine, precision)
    limits = Limits(temperature=float(weights.card.get("temperature", TEMPERATURE)))
    return PlateReader(network, read_alphabet(weights, network.notes), limits)


def load_network(weights: Weights, engine: str, precision: Precision) -> OpenVinoNetwork | OnnxNetwork:
    """The network in an engine, one thread. Raises EngineMissingError, EngineUnknownError."""
    try:
        if choose_engine(engine) == "openvino":
            from vision.backends.openvino import OpenVinoNetwork

            return OpenVinoNetwork(weights.content, precision)
        from vision.backends.onnx import OnnxNetwork

        return OnnxNetwork(weights.content)
    except ImportError as error:
        package = "openvino" if choose_engine(engine) == "openvino" else "onnxruntime"
        raise EngineMissingError(engine, package) from error


def read_alphabet(weights: Weights, notes: dict[str, str]) -> list[str]:
    """Characters by class, the blank first, from the notes in the weight file (or its card)."""
    text = notes.get("alphabet") or weights.card.get("alphabet")
    if text:
        return ["", *text]
    # Networks of the PP-OCR family name their characters one a line and end with the space.
    if "character" in notes:
        return ["", *notes["character"].split("\n"), " "]
    raise WeightsUnsuitableError(weights.path, "names no alphabet")
