"""Weight files and their cards: nothing is loaded whose sha256 is not the one its card names.

`weights/cards.json` lists the cards, objects with at least `file` and `sha256`. A file of the caller's own
has its card beside it in the same form, or is used on the caller's word.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vision.errors import WeightsCorruptedError, WeightsMissingError

WEIGHTS = Path(__file__).parent / "weights"
CARDS = "cards.json"


@dataclass(frozen=True, slots=True)
class Weights:
    """A verified weight file: its content, its sha256 (hex) and its card (empty where it has none)."""

    path: Path
    content: bytes = field(repr=False)
    sha256: str
    card: Mapping[str, Any]


def open_weights(name: str, path: Path | None = None) -> Weights:
    """The verified file `name` of ours, or the file at `path`.

    A file at `path` is verified where the `cards.json` beside it names it. Raises WeightsMissingError,
    WeightsCorruptedError.
    """
    source = path or WEIGHTS / name
    cards = _read_cards(source.parent / CARDS)
    card = cards.get(source.name)
    if path is None and card is None:
        raise WeightsMissingError(source, f"{CARDS} has no card of this name")
    try:
        content = source.read_bytes()
    except OSError as error:
        raise WeightsMissingError(source, f"cannot be read: {error.strerror}") from error
    actual = hashlib.sha256(content).hexdigest()
    if card is not None and card["sha256"] != actual:
        raise WeightsCorruptedError(source, str(card["sha256"]), actual)
    return Weights(source, content, actual, card or {})


def _read_cards(path: Path) -> dict[str, dict[str, Any]]:
    """Cards by file name; none where there is no such file."""
    try:
        listed: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise WeightsMissingError(path, f"is not JSON: {error}") from error
    return {str(card["file"]): card for card in listed}
