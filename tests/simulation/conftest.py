"""A small file of misreads, made up: what the simulation is told in tests."""

from __future__ import annotations

import json
from random import Random

import pytest

from api.simulation.misreads import load_misreads
from vision.plates import DIGITS, LETTERS, PROVINCES

LOOK_ALIKES = {
    "0": "DQ8",
    "8": "B03",
    "B": "8DR",
    "D": "0Q",
    "5": "S6",
    "S": "5",
    "2": "Z7",
    "Z": "2",
    "粤": "皖",
}


def made_up(sightings: int = 300, seed: int = 3) -> dict:
    """Every tenth sighting has one unsure position, and every third of these is wrong."""
    chance = Random(seed)
    confusion = {c: {c: 990} for c in DIGITS + LETTERS + PROVINCES}
    for true, others in LOOK_ALIKES.items():
        confusion[true] |= dict.fromkeys(others, 5)
    found = []
    for number in range(sightings):
        length = 8 if number % 6 == 0 else 7
        positions, right, wrong_ppm = [None] * length, True, chance.randint(50, 900)
        if number % 10 == 0:
            true = chance.choice(list(LOOK_ALIKES)[:-1])
            other, top = LOOK_ALIKES[true][0], chance.randint(500_000, 998_000)
            right = number % 30 != 0
            first, second = (true, other) if right else (other, true)
            positions[3] = {"true": true, "choices": [[first, top], [second, (1_000_000 - top) // 2]]}
            wrong_ppm = 1_000_000 - top
        found.append(
            {
                "colour": "green" if number % 50 == 0 else "blue",
                "true_colour": "blue",
                "length": length,
                "looks": 1 + number % 5,
                "wrong_ppm": wrong_ppm,
                "text_is_right": right,
                "hard": number % 4 == 0,
                "at_pump": number % 2 == 0,
                "positions": positions,
            }
        )
    return {
        "made_with": "a test",
        "weights": {"plate_reader": "0", "second_reader": "0"},
        "passes": sightings + 4,
        "hard_passes": sightings // 4,
        "hard_lost": 0,
        "unread": 2,
        "other_length": 2,
        "at_pump": {
            "passes": sightings // 2 + 2,
            "hard_passes": sightings // 4,
            "hard_lost": 0,
            "unread": 1,
            "other_length": 1,
        },
        "alike": {"unread": 4, "unread_too": 2, "wrong": 9, "wrong_too": 0, "unsure": 9, "unsure_too": 4},
        "looks": 10 * sightings,
        "confusion": confusion,
        "sure": {c: {c: sightings * 5 // 34} for c in DIGITS + LETTERS} | {c: {c: 10} for c in PROVINCES},
        "sightings": found,
    }


@pytest.fixture(scope="session")
def misreads_file(tmp_path_factory):
    """The file."""
    path = tmp_path_factory.mktemp("misreads") / "misreads.json"
    path.write_text(json.dumps(made_up(), ensure_ascii=False), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def misreads(misreads_file):
    """What it says."""
    return load_misreads(misreads_file)
