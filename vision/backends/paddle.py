"""A second, independent reader through PaddleOCR (extra `paddle`), from a model folder on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vision.colour import COLOURS, colour_probabilities, most_likely
from vision.errors import EngineMissingError, WeightsMissingError
from vision.plates import kind_of, normalise
from vision.rectify import merge_rows
from vision.types import Image, PlateText

# PaddleOCR gives one score a text, the mean over its characters, and no second choices.
LEAST_SCORE = 0.05


class PaddleReader:
    """Reads crops with PaddleOCR's text recognition.

    folder: holds `inference.yml` and the network; nothing is downloaded. name: of the network, as the yml
    has it. engine: "onnxruntime" needs no paddlepaddle. Raises EngineMissingError, WeightsMissingError.
    """

    def __init__(
        self, folder: Path | str, name: str = "PP-OCRv4_mobile_rec", engine: str = "onnxruntime"
    ) -> None:
        notes = Path(folder) / "inference.yml"
        if not notes.is_file():
            raise WeightsMissingError(notes, "is not there")
        try:
            from paddleocr import TextRecognition  # type: ignore[import-not-found, unused-ignore]
        except ImportError as error:
            raise EngineMissingError("paddle", "paddleocr") from error
        self._network: Any = TextRecognition(
            model_name=name, model_dir=str(folder), engine=engine, device="cpu"
        )

    def read(self, crop: Image, rows: Sequence[int] = (1,)) -> PlateText:
        """What stands on a levelled crop, (h, w, 3) uint8 BGR; text that is no plate counts as unread."""
        colours = colour_probabilities(crop)
        lines = [merge_rows(crop) if count == 2 else crop for count in rows]
        found = [(normalise(x["rec_text"]), float(x["rec_score"])) for x in self._network.predict(lines)]
        plates = [(text, score) for text, score in found if kind_of(text) is not None]
        text, score = max(plates, key=lambda x: x[1], default=("", 0.0))
        kind = kind_of(text)
        if kind is None or score < LEAST_SCORE:
            return PlateText(None, *most_likely(colours), (), 0.0)
        allowed = {c: colours[c] if c in kind.colours else 0.0 for c in COLOURS}
        total = sum(allowed.values())
        colour, share = most_likely({c: p / total for c, p in allowed.items()})
        positions = tuple(((character, score),) for character in text)
        return PlateText(text, colour, share, positions, score ** len(text))
