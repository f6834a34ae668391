"""A posterior and the sum behind it, as a match keeps them."""

from __future__ import annotations

from typing import Any

from wallet.facts import Posterior, PosteriorPart


def posterior_to_json(posterior: Posterior) -> dict[str, Any]:
    """The posterior as it is stored; its sum where it has one."""
    stored: dict[str, Any] = {
        "candidates": posterior.candidates,
        "none_ppm": posterior.none_ppm,
    }
    if posterior.parts:
        # Written as JSON at once: a dataclass is the same there as its fields by name.
        stored["sum"] = posterior.parts
    return stored


def posterior_from_json(stored: Any) -> Posterior:
    """A stored posterior as a value."""
    return Posterior(
        tuple((str(plate), int(ppm)) for plate, ppm in stored["candidates"]),
        int(stored["none_ppm"]),
        tuple(PosteriorPart(**part) for part in stored.get("sum", ())),
    )
