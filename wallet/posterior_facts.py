"""How likely each registered plate was, as it is handed in and kept with the match. Whole numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PosteriorPart:
    """One line of the sum behind a posterior; plate: None for "none of them".

    ppm goes with likelihood x colour x visits: what the reading says of the text, the chance of the colour
    seen, and how many visits were expected, in millionths.
    """

    plate: str | None
    likelihood_ppb: int
    colour_ppm: int
    visits_ppm: int
    ppm: int


@dataclass(frozen=True, slots=True)
class Posterior:
    """How likely each registered plate is, given the readings, and that it is none of them; in ppm.

    parts: the sum that says so, for people; empty where it was not handed in.
    """

    candidates: tuple[tuple[str, int], ...]
    none_ppm: int
    parts: tuple[PosteriorPart, ...] = ()
