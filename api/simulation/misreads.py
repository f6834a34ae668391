"""How our readers err, from `vision/assets/misreads.json`: whole sightings, and what single looks confuse."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.commands.failures import CommandError
from wallet.money import MILLION

SHIPPED: Final = Path(__file__).parents[2] / "vision" / "assets" / "misreads.json"
# Of positions at least as sure as this the file counts which character was there and which was read.
RATHER_SURE_PPM: Final = 990_000


@dataclass(frozen=True, slots=True)
class Doubt:
    """A position that was unsure or wrong: its true character, and (character, ppm), most likely first."""

    true: str
    choices: tuple[tuple[str, int], ...]

    @property
    def is_right(self) -> bool:
        """Whether the likeliest character is the true one."""
        return bool(self.choices) and self.choices[0][0] == self.true


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured sighting without its plate. positions: None where sure and right. hard: a hard pass."""

    colour: str
    looks: int
    wrong_ppm: int
    positions: tuple[Doubt | None, ...]
    hard: bool

    @property
    def is_right(self) -> bool:
        """Whether the text was the plate."""
        return all(doubt is None or doubt.is_right for doubt in self.positions)


@dataclass(frozen=True, slots=True)
class Misreads:
    """All that was measured.

    confusion: for each true character how often a single look read which one. colours: the same for the
    ground of whole sightings; may be empty. sure: of their positions at or above RATHER_SURE_PPM, by the
    character read, how often each was there. unread_ppm: passes of which nothing, or a text of another
    length, was said: of usual ones, and of hard ones.
    """

    made_with: str
    weights: Mapping[str, str]
    confusion: Mapping[str, Mapping[str, int]]
    colours: Mapping[str, Mapping[str, int]]
    sure: Mapping[str, Mapping[str, int]]
    sightings: tuple[Measured, ...]
    unread_ppm: int
    hard_unread_ppm: int

    def doubts(self) -> list[Doubt]:
        """Every position that was unsure or wrong."""
        return [doubt for one in self.sightings for doubt in one.positions if doubt is not None]


def load_misreads(path: Path | None = None) -> Misreads:
    """The shipped file, or another; raises CommandError with what is wrong in it."""
    source = path or SHIPPED
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(
            f"{source}: {error.strerror}; `platepay measure-misreads` makes it from labelled pictures"
        ) from error
    except ValueError as error:
        raise CommandError(f"{source}: is not JSON ({error})") from error
    try:
        return _read(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CommandError(f"{source}: is not a file of misreads ({error!r})") from error


def _read(content: Mapping[str, Any]) -> Misreads:
    sightings = tuple(_sighting(one) for one in content["sightings"])
    if not sightings:
        raise ValueError("it holds no sightings")
    passes = int(content.get("passes", len(sightings)))
    lost = int(content.get("unread", 0)) + int(content.get("other_length", 0))
    hard, hard_lost = int(content.get("hard_passes", 0)), int(content.get("hard_lost", 0))
    if not 0 <= hard_lost <= lost or not hard_lost <= hard <= passes:
        raise ValueError("hard_passes and hard_lost do not fit passes, unread and other_length")
    return Misreads(
        made_with=str(content["made_with"]),
        weights=dict(content["weights"]),
        confusion=_counts(content["confusion"]),
        colours=_counts(content.get("colours", {})),
        sure=_counts(content["sure"]),
        sightings=sightings,
        unread_ppm=(lost - hard_lost) * MILLION // max(passes - hard, 1),
        hard_unread_ppm=hard_lost * MILLION // max(hard, 1),
    )


def _counts(table: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    return {true: {read: int(count) for read, count in row.items()} for true, row in table.items()}


def _sighting(one: Mapping[str, Any]) -> Measured:
    positions = tuple(None if position is None else _doubt(position) for position in one["positions"])
    if len(positions) != one["length"]:
        raise ValueError(f"a sighting of length {one['length']} has {len(positions)} positions")
    measured = Measured(
        colour=str(one["colour"]),
        looks=max(1, int(one["looks"])),
        wrong_ppm=int(one["wrong_ppm"]),
        positions=positions,
        hard=bool(one.get("hard", False)),
    )
    if measured.is_right != bool(one["text_is_right"]):
        raise ValueError("text_is_right does not fit the positions of a sighting")
    return measured


def _doubt(position: Mapping[str, Any]) -> Doubt:
    choices: Sequence[Sequence[Any]] = position["choices"]
    return Doubt(str(position["true"]), tuple((str(char), int(ppm)) for char, ppm in choices))
