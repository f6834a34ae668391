"""How our readers err, from `vision/assets/misreads.json`: whole sightings, and what single looks confuse."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from api.commands.failures import CommandError
from wallet.money import MILLION
from wallet.rules import Rules

SHIPPED: Final = Path(__file__).parents[2] / "vision" / "assets" / "misreads.json"
# Of positions at least as sure as this the file counts which character was there and which was read.
RATHER_SURE_PPM: Final = 990_000
# A sighting less sure than this moves no money alone.
UNSURE_PPM: Final = Rules().auto_ceiling_ppm
# Passes that were made hard to read on purpose (far, dark, out of focus) are measured often and come seldom.
HARD_SHARE: Final = 0.03


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
    """One measured sighting without its plate. positions: None where sure and right. hard: a hard pass.

    at_pump: of a car that came to stand before the camera. true_colour: empty where it is not known.
    """

    colour: str
    looks: int
    wrong_ppm: int
    positions: tuple[Doubt | None, ...]
    hard: bool
    at_pump: bool = False
    true_colour: str = ""

    @property
    def is_off_colour(self) -> bool:
        """Whether another colour was seen than the plate has."""
        return bool(self.true_colour) and self.colour != self.true_colour

    @property
    def is_right(self) -> bool:
        """Whether the text was the plate."""
        return all(doubt is None or doubt.is_right for doubt in self.positions)


@dataclass(frozen=True, slots=True)
class Unread:
    """Passes of which nothing, or a text of another length, was said, in ppm: of usual and of hard ones."""

    usual_ppm: int
    hard_ppm: int


@dataclass(frozen=True, slots=True)
class Alike:
    """How likely the entry saw a plate as badly as the pump did: chances, by what the pump saw.

    unread: nothing either. wrong: the same wrong text. unsure: the same doubt.
    """

    unread: float = 0.0
    wrong: float = 0.0
    unsure: float = 0.0


@dataclass(frozen=True, slots=True)
class Misreads:
    """All that was measured.

    confusion: for each true character how often a single look read which one. sure: of their positions at or
    above RATHER_SURE_PPM, by the character read, how often each was there. unread_on_its_way, unread_at_pump:
    of the two kinds of passes. alike: of a plate that both cameras saw.
    """

    made_with: str
    weights: Mapping[str, str]
    confusion: Mapping[str, Mapping[str, int]]
    sure: Mapping[str, Mapping[str, int]]
    sightings: tuple[Measured, ...]
    unread_on_its_way: Unread
    unread_at_pump: Unread
    alike: Alike = field(default_factory=Alike)

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
    if len({one.at_pump for one in sightings}) < 2:
        raise ValueError("it must hold sightings of cars on their way and at a pump")
    every, at_pump = _passes(content), _passes(content["at_pump"])
    return Misreads(
        made_with=str(content["made_with"]),
        weights=dict(content["weights"]),
        confusion=_counts(content["confusion"]),
        sure=_counts(content["sure"]),
        sightings=sightings,
        unread_on_its_way=_unread({name: every[name] - at_pump[name] for name in every}),
        unread_at_pump=_unread(at_pump),
        alike=_alike(content["alike"]),
    )


def _passes(content: Mapping[str, Any]) -> dict[str, int]:
    """How many passes there were and were lost, all of them and the hard ones."""
    found = {name: int(content[name]) for name in ("passes", "hard_passes", "hard_lost")}
    return found | {"lost": int(content["unread"]) + int(content["other_length"])}


def _unread(counts: Mapping[str, int]) -> Unread:
    passes, hard, lost, hard_lost = (counts[name] for name in ("passes", "hard_passes", "lost", "hard_lost"))
    if not (0 <= hard_lost <= min(lost, hard) and hard <= passes and lost - hard_lost <= passes - hard):
        raise ValueError("passes, hard_passes, hard_lost, unread and other_length do not fit each other")
    return Unread(
        usual_ppm=(lost - hard_lost) * MILLION // max(passes - hard, 1),
        hard_ppm=hard_lost * MILLION // max(hard, 1),
    )


def _alike(counts: Mapping[str, Any]) -> Alike:
    """The chances, with one case more of each kind that was alike and one that was not."""
    pairs = {name: (int(counts[f"{name}_too"]), int(counts[name])) for name in ("unread", "wrong", "unsure")}
    if any(not 0 <= too <= all_ for too, all_ in pairs.values()):
        raise ValueError("alike: more were alike than there were")
    return Alike(**{name: (too + 1) / (all_ + 2) for name, (too, all_) in pairs.items()})


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
        at_pump=bool(one["at_pump"]),
        true_colour=str(one.get("true_colour", "")),
    )
    if measured.is_right != bool(one["text_is_right"]):
        raise ValueError("text_is_right does not fit the positions of a sighting")
    return measured


def _doubt(position: Mapping[str, Any]) -> Doubt:
    choices: Sequence[Sequence[Any]] = position["choices"]
    return Doubt(str(position["true"]), tuple((str(char), int(ppm)) for char, ppm in choices))


def sighting_weights(sightings: Sequence[Measured], counts: Sequence[bool]) -> list[float]:
    """How often each measured sighting comes; together 1. counts: which ones may come."""
    hard = sum(ok and one.hard for one, ok in zip(sightings, counts, strict=True))
    easy = sum(counts) - hard
    if not hard or not easy:
        return [ok / (hard + easy) for ok in counts]
    return [
        ok * (HARD_SHARE / hard if one.hard else (1 - HARD_SHARE) / easy)
        for one, ok in zip(sightings, counts, strict=True)
    ]
