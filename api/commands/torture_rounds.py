"""A long torture in rounds: each has databases of its own and is counted for itself.

What is done is written down after each round: a run that is cut off says what it has found, and another
goes on from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from api.commands.failures import CommandError
from api.commands.torture_faults import Finding, Sizes

CONTROL = 400


@dataclass(frozen=True, slots=True)
class Share:
    """What one storm gets of all commands and kills, and how many commands make one of its rounds.

    SQLite's rounds are small, because a power cut copies the whole log at each sync and the audit at the end
    reads every row; a round on PostgreSQL makes a whole server.
    """

    commands: float
    kills: float
    round: int


# The faults that are not here have sizes of their own and are played once.
SHARES = {
    "1 reply lost": Share(0.06, 0.0, 30_000),
    "2 service killed, SQLite": Share(0.62, 0.65, 25_000),
    "2 service killed, PostgreSQL": Share(0.14, 0.16, 35_000),
    "3 PostgreSQL killed": Share(0.08, 0.04, 27_000),
    "4 power cut, SQLite": Share(0.1, 0.15, 10_000),
}


@dataclass(frozen=True, slots=True)
class Turn:
    """One round of one fault."""

    fault: str
    number: int
    of: int
    sizes: Sizes

    @property
    def key(self) -> str:
        """Its name; also what makes its chances its own."""
        return self.fault if self.number == 0 else f"{self.fault}/{self.number}"


@dataclass(frozen=True, slots=True)
class Played:
    """A turn, what came of it, and how long it took."""

    turn: Turn
    finding: Finding
    seconds: float


def turns_of(faults: Iterable[str], commands: int, kills: int) -> list[Turn]:
    """Every turn: first one of each fault, then the storms side by side, each at its own pace."""
    turns = []
    for fault in faults:
        share = SHARES.get(fault, Share(0.0, 0.0, 1))
        its_commands, its_kills = round(commands * share.commands), round(kills * share.kills)
        of = max(1, round(its_commands / share.round))
        turns += [
            Turn(
                fault,
                number,
                of,
                Sizes(
                    commands=max(1, _part(its_commands, number, of)),
                    kills=_part(its_kills, number, of),
                    # The unsafe way has to be caught once.
                    control=CONTROL if number == 0 else 0,
                ),
            )
            for number in range(of)
        ]
    # A round on PostgreSQL takes longest: of those that are due it comes last.
    return sorted(turns, key=lambda turn: (turn.number / turn.of, "PostgreSQL" in turn.fault))


def _part(whole: int, number: int, of: int) -> int:
    """The share of one of several rounds; together they are the whole."""
    return whole * (number + 1) // of - whole * number // of


def together(played: Iterable[Played]) -> dict[str, tuple[Finding, float]]:
    """By fault what its rounds have found, and their seconds."""
    found: dict[str, tuple[Finding, float]] = {}
    for one in played:
        finding, seconds = found.get(one.turn.fault, (Finding(), 0.0))
        for name in ("commands", "kills", "repeats", "lost", "doubled"):
            setattr(finding, name, getattr(finding, name) + getattr(one.finding, name))
        finding.wrong += one.finding.wrong
        finding.control = finding.control or one.finding.control
        finding.control_caught = finding.control_caught or one.finding.control_caught
        finding.skipped = finding.skipped or one.finding.skipped
        finding.cut_short = finding.cut_short or one.finding.cut_short
        found[one.turn.fault] = finding, seconds + one.seconds
    return found


class Notes:
    """What was played, in a file that is whole at any time. Without a file it is kept in memory."""

    def __init__(self, path: Path | None, asked: dict[str, Any]) -> None:
        """Raises CommandError where the file belongs to another run or cannot be read."""
        self._path = path
        self._asked = asked
        self._done: dict[str, dict[str, Any]] = {}
        if path is not None and path.exists():
            try:
                stored = json.loads(path.read_text())
                self._done = stored["done"]
            except (ValueError, KeyError, OSError) as error:
                raise CommandError(f"--state {path} holds no torture: {error}") from None
            if stored.get("asked") != asked:
                raise CommandError(
                    f"--state {path} belongs to a run with {stored.get('asked')}; this one is {asked}"
                )

    def played(self, turns: Iterable[Turn]) -> list[Played]:
        """Those of the turns that are done."""
        names = {field.name for field in fields(Finding)}
        return [
            Played(turn, Finding(**{name: done[name] for name in names}), done["seconds"])
            for turn in turns
            if (done := self._done.get(turn.key)) is not None
        ]

    def add(self, played: Played) -> None:
        """Writes one turn more."""
        self._done[played.turn.key] = {**asdict(played.finding), "seconds": round(played.seconds, 1)}
        if self._path is not None:
            new = self._path.with_name(f"{self._path.name}.new")
            new.write_text(json.dumps({"asked": self._asked, "done": self._done}, ensure_ascii=False))
            new.replace(self._path)
