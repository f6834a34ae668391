"""What is kept of misreads: enough to draw them again, and no plate."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from api.commands.failures import CommandError
from api.commands.measure_misreads import LARGEST_BYTES, Source, pictures_of, write
from api.commands.misread_passes import KEPT_POSITIONS, Misreads, PlatePass, kept_positions
from vision.confusion import CLASSES, MISREADS, confusion_from
from vision.types import Detection, PlateText, Reading, Sighting

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLATE = "粤B12345"


def sighting(text: str | None, sure: float = 0.9999) -> Sighting:
    picture = np.zeros((4, 4, 3), np.uint8)
    corners = np.zeros((4, 2), np.float32)
    positions = tuple(((character, sure),) for character in text or "")
    said = PlateText(text, "blue", 1.0, positions, 0.99)
    reading = Reading(0, NOW, Detection(corners, 1.0), said, 1.0, picture)
    return Sighting(1, "c", text, "blue", positions, 500, 3, None, NOW, NOW, reading, picture)


def passed(text: str | None, *looks: str, sure: float = 0.9999) -> PlatePass:
    said = tuple(PlateText(look, "blue", 1.0, (), 0.9) for look in looks)
    return PlatePass(PLATE, "blue", False, sighting(text, sure) if text != "" else None, said)


def kept(*passes: PlatePass) -> dict:
    misreads = Misreads()
    for one in passes:
        misreads.add(one)
    return misreads.as_dict("test", {})


def test_what_was_sure_and_right_leaves_nothing_of_the_plate() -> None:
    [one] = kept(passed(PLATE))["sightings"]
    assert one["positions"] == [None] * 7
    assert one["text_is_right"] is True
    assert PLATE[1:4] not in json.dumps(one, ensure_ascii=False)


def test_a_wrong_character_is_kept_however_sure_it_was() -> None:
    content = kept(passed("粤B12S45"))
    [one] = content["sightings"]
    assert one["positions"] == [None] * 4 + [{"true": "3", "choices": [["S", 999_900]]}] + [None] * 2
    assert (one["text_is_right"], content["sure_positions"], content["sure_wrong"]) == (False, 7, 1)


def test_of_an_unsure_plate_three_characters_are_kept_the_wrong_first_then_the_least_sure() -> None:
    positions = [[(character, 600_000 + 1_000 * place)] for place, character in enumerate("粤B12349")]
    found = kept_positions(PLATE, [[list(choice) for choice in position] for position in positions])
    assert [index for index, one in enumerate(found) if one is not None] == [0, 1, 6]
    assert KEPT_POSITIONS == 3


def test_single_looks_are_counted_and_those_of_another_plate_are_not() -> None:
    content = kept(passed(PLATE, PLATE, "鄂B12345", "京A99999", "粤B1234"))
    assert content["looks"] == 2
    assert content["confusion"]["粤"] == {"粤": 1, "鄂": 1}
    assert content["confusion"]["B"] == {"B": 2}


def test_what_was_not_seen_not_read_or_of_another_length_is_counted_and_not_kept() -> None:
    content = kept(passed(""), passed(None), passed("粤BD12345"))
    assert (content["passes"], content["unread"], content["other_length"]) == (3, 2, 1)
    assert content["sightings"] == []


def test_the_file_that_ships_gives_no_plate_away_and_can_be_used() -> None:
    content = json.loads(MISREADS.read_text(encoding="utf-8"))
    assert MISREADS.stat().st_size < LARGEST_BYTES
    assert len(content["sightings"]) > 300
    for one in content["sightings"]:
        assert len(one["positions"]) == one["length"]
        assert sum(position is not None for position in one["positions"]) <= KEPT_POSITIONS
    confusion = confusion_from(content)
    assert all(sum(shares.values()) == pytest.approx(1.0) for shares in confusion.meant.values())
    assert set(confusion.meant) == set("".join(CLASSES))
    assert 0 < confusion.misled < 0.01


def test_a_file_too_large_to_ship_is_refused(tmp_path) -> None:
    with pytest.raises(CommandError, match="give fewer --stills"):
        write(tmp_path / "misreads.json", {"sightings": ["x" * LARGEST_BYTES]})
    assert not (tmp_path / "misreads.json").exists()


def test_a_picture_that_is_left_out_is_not_shown(tmp_path) -> None:
    (tmp_path / "set").mkdir()
    rows = ["file,plate_text,plate_type,x1,y1,x2,y2"]
    rows += [f"images/{name}.jpg,{PLATE},blue,1,1,9,4" for name in ("good", "retouched")]
    (tmp_path / "set" / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    found = pictures_of(tmp_path, Source("set", left_out=("retouched.jpg",)))
    assert [picture.path.name for picture in found] == ["good.jpg"]
