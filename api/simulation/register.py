"""The registered plates in memory, looked up as the wallet looks them up in its database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vision.plates import OFFICES, PROVINCES, SERIAL
from wallet.facts import Candidate, Vehicle
from wallet.plates import Positions, likely_strings

BOUND_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
# Every character that a registered plate may have at a place, first and last places apart.
PLACES: Final = (PROVINCES, OFFICES, *[SERIAL] * 6)

_SIEVE_BITS: Final = 27
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
_LONGEST: Final = len(PLACES)


def _codes(texts: Sequence[str]) -> npt.NDArray[Any]:
    """(n, 8) code points, 0 after the end of a text."""
    return np.array(texts, f"<U{_LONGEST}").view(np.uint32).reshape(len(texts), _LONGEST).astype(np.uint64)


class _Sieve:
    """Which texts are surely not registered: one bit for each hash. Says yes too often, never no wrongly."""

    def __init__(self, texts: Sequence[str]) -> None:
        # The hash is a sum over places, so that a text one place off is one addition away.
        rng = np.random.default_rng(0)
        self._weights = rng.integers(1, 2**63, _LONGEST, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self._bits = np.zeros(1 << _SIEVE_BITS, np.bool_)
        for start in range(0, len(texts), 100_000):
            self._bits[self._slots(self._sums(_codes(texts[start : start + 100_000])))] = True

    def _sums(self, codes: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
        mixed = codes * _ODD
        mixed ^= mixed >> np.uint64(29)
        return np.asarray((mixed * self._weights).sum(axis=1, dtype=np.uint64), np.uint64)

    def _slots(self, sums: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        return (sums * _ODD) >> np.uint64(64 - _SIEVE_BITS)

    def one_off(self, texts: Sequence[str]) -> list[tuple[int, str]]:
        """(index of the text, another text one place off it) for all that pass."""
        codes = _codes(texts)
        sums = self._sums(codes)
        found = []
        for place, characters in enumerate(PLACES):
            others = np.array([ord(c) for c in characters], np.uint64)
            has_place = codes[:, place] > 0
            terms = self._terms(others, place)
            base = sums - self._terms(codes[:, place], place)
            passes = self._bits[self._slots((base[:, None] + terms[None, :]).ravel())]
            rows, columns = np.nonzero(passes.reshape(len(texts), len(others)) & has_place[:, None])
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
                text = texts[row]
                found.append((row, text[:place] + characters[column] + text[place + 1 :]))
        return found

    def _terms(self, codes: npt.NDArray[Any], place: int) -> npt.NDArray[np.uint64]:
        mixed = codes * _ODD
        mixed ^= mixed >> np.uint64(29)
        return np.asarray(mixed * self._weights[place], np.uint64)


@dataclass(frozen=True, slots=True)
class Habit:
    """Where a customer's car comes: visits at the station it usually comes to, and at all others."""

    station: int
    visits_there: int
    visits_elsewhere: int

    def at(self, station: int) -> tuple[int, int]:
        """Visits at this station, and at others."""
        if station == self.station:
            return self.visits_there, self.visits_elsewhere
        return 0, self.visits_there + self.visits_elsewhere


@dataclass(slots=True)
class Register:
    """Registered plates by text with their colours. One account a plate, of the same name.

    habits: of a plate; without it nobody was ever anywhere.
    """

    colours: dict[str, str]
    habits: Callable[[str], Habit] | None = None
    _sieve: _Sieve = field(init=False)
    _near: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._sieve = _Sieve(list(self.colours))

    def __contains__(self, plate: str) -> bool:
        return plate in self.colours

    def __len__(self) -> int:
        return len(self.colours)

    def look_up(self, texts: Sequence[str]) -> None:
        """Finds the neighbours of many texts at once; `near` then knows them, and only them."""
        wanted = list(dict.fromkeys(texts))
        near: dict[str, list[str]] = {text: [] for text in wanted}
        for row, other in self._sieve.one_off(wanted) if wanted else ():
            if other != wanted[row] and other in self.colours:
                near[wanted[row]].append(other)
        self._near = {text: sorted(others) for text, others in near.items()}

    def near(self, text: str) -> list[str]:
        """Registered plates one place away, sorted."""
        known = self._near.get(text)
        if known is None:
            return sorted(
                other for _, other in self._sieve.one_off([text]) if other != text and other in self.colours
            )
        return known

    def candidates(self, positions: Positions, station: int | None = None) -> list[Candidate]:
        """As the wallet finds them: likely strings that are registered, then those one place off the best.

        station: where given, each comes with its visits.
        """
        texts = likely_strings(positions)
        if not texts:
            return []
        exact = [text for text in texts if text in self.colours]
        known = set(exact)
        found = [*exact, *(text for text in self.near(texts[0]) if text not in known)]
        return [self._candidate(plate, station) for plate in found]

    def _candidate(self, plate: str, station: int | None) -> Candidate:
        if station is None or self.habits is None:
            return Candidate(plate, self.colours[plate], plate, plate)
        here, elsewhere = self.habits(plate).at(station)
        return Candidate(plate, self.colours[plate], plate, plate, here, elsewhere)

    def bound(self, plates: Sequence[str]) -> Mapping[str, Vehicle]:
        """The vehicles of these plates, by plate."""
        return {plate: self.vehicle(plate) for plate in plates if plate in self.colours}

    def vehicle(self, plate: str) -> Vehicle:
        """The vehicle of a registered plate."""
        return Vehicle(plate, plate, plate, self.colours[plate], BOUND_AT, None)
