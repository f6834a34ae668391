"""A second, independent reader through PaddleOCR (extra `paddle`), from a model folder on this machine."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vision.cards import Weights
from vision.colour import colour_probabilities, most_likely, most_likely_of
from vision.errors import EngineMissingError, WeightsMissingError
from vision.paint import paint_probabilities
from vision.plates import KINDS, READ_KINDS, kind_of, normalise
from vision.reader import INPUT_SHAPE, may_be_military, reader_line
from vision.types import Image, PlateText

NAME = "PP-OCRv4_mobile_rec"
# PaddleOCR gives one score a text, the mean over its characters, and no second choices.
LEAST_SCORE = 0.05


class PaddleReader:
    """Reads crops with PaddleOCR's text recognition.

    folder: holds `inference.yml` and the network; nothing is downloaded. name: of the network, as the yml
    has it. engine: "onnxruntime" needs no paddlepaddle. Raises EngineMissingError, WeightsMissingError.
    """

    def __init__(self, folder: Path | str, name: str = NAME, engine: str = "onnxruntime") -> None:
        notes = Path(folder) / "inference.yml"
        if not notes.is_file():
            raise WeightsMissingError(notes, "is not there")
        try:
            from paddleocr import TextRecognition  # type: ignore[import-not-found, unused-ignore]
        except ImportError as error:
            raise EngineMissingError("paddle", "paddleocr", "paddle") from error
        self._network: Any = TextRecognition(
            model_name=name, model_dir=str(folder), engine=engine, device="cpu"
        )

    def read(self, crop: Image, rows: Sequence[int] = (1,)) -> PlateText:
        """What stands on a levelled crop, (h, w, 3) uint8 BGR; text that is no plate counts as unread."""
        colours, paint = colour_probabilities(crop), paint_probabilities(crop)
        lines = [reader_line(crop, count) for count in rows]
        found = [(normalise(x["rec_text"]), float(x["rec_score"])) for x in self._network.predict(lines)]
        kinds = KINDS if may_be_military(crop, colours) else READ_KINDS
        plates = [(text, score) for text, score in found if kind_of(text) in kinds]
        text, score = max(plates, key=lambda x: x[1], default=("", 0.0))
        kind = kind_of(text)
        if kind is None or score < LEAST_SCORE:
            return PlateText(None, *most_likely(paint), (), 0.0)
        positions = tuple(((character, score),) for character in text)
        return PlateText(text, *most_likely_of(kind.colours, paint), positions, score ** len(text))


def load_paddle_reader(weights: Weights, alphabet: Sequence[str]) -> PaddleReader:
    """An exported reader of ours through PaddleOCR, warm. alphabet: characters by class, the blank first.

    Raises EngineMissingError.
    """
    # PaddleOCR reads the folder once, while it is being made.
    with tempfile.TemporaryDirectory(prefix="platepay-paddle-") as folder:
        write_model_folder(Path(folder), weights.content, alphabet)
        reader = PaddleReader(folder)
        reader.read(np.zeros((*INPUT_SHAPE[2:], 3), np.uint8))
    return reader


def write_model_folder(folder: Path, content: bytes, alphabet: Sequence[str]) -> None:
    """An exported reader as PaddleOCR wants it: beside it notes in YAML, of which JSON is a part."""
    (folder / "inference.onnx").write_bytes(content)
    _, channels, height, width = INPUT_SHAPE
    steps = [
        {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
        {"RecResizeImg": {"image_shape": [channels, height, width]}},
        {"KeepKeys": {"keep_keys": ["image"]}},
    ]
    notes = {
        "Global": {"model_name": NAME},
        "PreProcess": {"transform_ops": steps},
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": list(alphabet[1:])},
    }
    (folder / "inference.yml").write_text(json.dumps(notes, ensure_ascii=False), encoding="utf-8")
