"""The cards of the shipped weights: `vision/weights/cards.json`, one entry a file."""

import hashlib
import json
from pathlib import Path
from typing import Any

from models.pictures import REPOSITORY

WEIGHTS = REPOSITORY / "vision" / "weights"


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_cards(folder: Path = WEIGHTS) -> list[dict[str, Any]]:
    """All cards, in the order of their names."""
    path = folder / "cards.json"
    cards: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return cards


def publish(source: Path, card: dict[str, Any], folder: Path = WEIGHTS) -> Path:
    """Copy a network to the shipped weights as `<name>` with its ending, and put its card beside it.

    card: name, licence, source, trained_on, metrics, made_with; file and sha256 are filled in here.
    """
    target = folder / f"{card['name']}{source.suffix}"
    folder.mkdir(parents=True, exist_ok=True)
    if source.resolve() != target.resolve():
        target.write_bytes(source.read_bytes())
    entry = {"name": card["name"], "file": target.name, "sha256": sha256_of(target), **card}
    cards = [c for c in read_cards(folder) if c["name"] != card["name"]] + [entry]
    cards.sort(key=lambda c: str(c["name"]))
    text = json.dumps(cards, ensure_ascii=False, indent=2)
    (folder / "cards.json").write_text(text + "\n", encoding="utf-8")
    return target
