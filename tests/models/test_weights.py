"""The shipped weights are those their cards describe."""

import json
import re
from pathlib import Path

import onnxruntime
import pytest

from models.alphabet import ALPHABET as READER_ALPHABET
from models.cards import WEIGHTS, read_cards, sha256_of
from vision.plates import ALPHABET

CARD_KEYS = {"name", "file", "sha256", "licence", "source", "trained_on", "metrics", "made_with"}


def metadata(name: str) -> dict[str, str]:
    if name.endswith(".json"):
        content = json.loads((WEIGHTS / name).read_text(encoding="utf-8"))
        return {key: value for key, value in content.items() if isinstance(value, str)}
    session = onnxruntime.InferenceSession(str(WEIGHTS / name), providers=["CPUExecutionProvider"])
    return dict(session.get_modelmeta().custom_metadata_map)


def test_every_weight_file_has_exactly_one_card() -> None:
    files = sorted(path.name for path in WEIGHTS.iterdir() if path.name != "cards.json")
    assert sorted(card["file"] for card in read_cards()) == files
    assert files


@pytest.mark.parametrize("card", read_cards(), ids=lambda card: card["name"])
def test_weight_file_is_the_one_its_card_names(card: dict[str, str]) -> None:
    assert set(card) >= CARD_KEYS
    assert sha256_of(WEIGHTS / card["file"]) == card["sha256"]


@pytest.mark.parametrize("card", read_cards(), ids=lambda card: card["name"])
def test_metadata_says_what_the_file_is(card: dict[str, str]) -> None:
    about = metadata(card["file"])
    assert about["kind"] == card["name"]
    assert about["version"]


@pytest.mark.parametrize("name", ["plate_reader.onnx", "second_reader.onnx"])
def test_reader_knows_every_character_of_the_grammar(name: str) -> None:
    alphabet = metadata(name)["alphabet"]
    assert set(alphabet) >= set(ALPHABET)
    assert len(set(alphabet)) == len(alphabet)
    assert set(alphabet) == set(READER_ALPHABET)


def test_no_card_names_a_path_of_some_machine() -> None:
    text = json.dumps(read_cards(), ensure_ascii=False)
    assert not re.search(r'[\s"]/[a-z]', text)


def test_model_cards_on_paper_name_the_shipped_files() -> None:
    models = Path(__file__).parents[2] / "models"
    for card in read_cards():
        paper = (models / card["name"] / "CARD.md").read_text(encoding="utf-8")
        assert card["sha256"] in paper, card["name"]
