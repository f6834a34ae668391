"""What a message about a sighting may say: nothing that contradicts itself."""

from __future__ import annotations

import itertools

from wallet.errors import InvalidFact
from wallet.facts import COLOURS, Posterior, SightingFact
from wallet.money import MILLION
from wallet.wording import check_name, check_text, check_whole

LONGEST_PLATE = 12


def check_sighting(sighting: SightingFact, posterior: Posterior) -> None:
    """Raises InvalidFact where the message contradicts itself."""
    check_text("sighting_id", sighting.sighting_id)
    check_name("station", sighting.station)
    check_text("camera", sighting.camera)
    for what, text, longest in (
        ("pump", sighting.pump, 64),
        ("text", sighting.text, LONGEST_PLATE),
        ("evidence_frame", sighting.evidence_frame, 64),
        ("evidence_crop", sighting.evidence_crop, 64),
        ("detector_model", sighting.detector_model, 64),
        ("reader_model", sighting.reader_model, 64),
    ):
        if text is not None:
            check_text(what, text, longest)
    if sighting.colour not in COLOURS:
        raise InvalidFact("colour", repr(sighting.colour), f"must be one of {', '.join(COLOURS)}")
    if sighting.last_seen_at < sighting.first_seen_at:
        raise InvalidFact(
            "last_seen_at", sighting.last_seen_at.isoformat(), "must not be before first_seen_at"
        )
    check_whole("looks", sighting.looks, 0, MILLION)
    check_whole("wrong_ppm", sighting.wrong_ppm, 0, MILLION)
    for char, ppm in itertools.chain.from_iterable(sighting.positions):
        # One letter or digit is the rule, and is nothing to complain of.
        if len(char) != 1 or not char.isalnum():
            check_text("position", char, 4)
        check_whole("position", ppm, 0, MILLION)
    check_posterior(posterior)


def check_posterior(posterior: Posterior) -> None:
    """Raises InvalidFact for chances that are none."""
    chances = [posterior.none_ppm]
    for plate, ppm in posterior.candidates:
        check_text("candidate", plate, LONGEST_PLATE)
        chances.append(ppm)
    for ppm in chances:
        check_whole("posterior", ppm, 0, MILLION)
    # Each chance was rounded on its own: together they may be one ppm each above certainty.
    if sum(chances) > MILLION + len(chances):
        raise InvalidFact("posterior", str(sum(chances)), f"must not add up to more than {MILLION} ppm")
