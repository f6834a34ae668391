"""What the torture does: each fault is played, and so is a control that must be caught doing damage."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from api.commands.torture_load import Customer, Tally, welcome
from api.commands.torture_storm import Damage, Storm, damage, rage
from wallet.service import open_wallet
from wallet.store.database import create_schema, has_schema, make_engine

CUSTOMERS = 24


@dataclass(frozen=True, slots=True)
class Sizes:
    """commands and kills: of each storm. control: commands of a control, which only has to be caught once."""

    commands: int
    kills: int
    control: int


@dataclass(slots=True)
class Finding:
    """What came of one fault. control: what the unsafe way did; it must have done damage."""

    commands: int = 0
    kills: int = 0
    repeats: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)
    control: str = ""
    control_caught: bool = False
    skipped: str = ""
    cut_short: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing was lost, doubled or wrong, and the control was caught."""
        if self.skipped:
            return True
        return not (self.lost or self.doubled or self.wrong) and self.control_caught

    def add(self, tally: Tally, found: Damage) -> None:
        """One storm more."""
        self.commands += tally.answered
        self.kills += tally.kills
        self.repeats += tally.repeats
        self.lost += found.lost
        self.doubled += found.doubled
        self.cut_short = self.cut_short or tally.cut_short
        if found.broken:
            self.wrong.append(found.broken)

    def must(self, is_so: bool, what: str) -> None:
        """Notes what did not hold."""
        if not is_so:
            self.wrong.append(what)

    def caught(self, is_so: bool, what: str) -> None:
        """What the control did, and whether that was seen."""
        self.control = what
        self.control_caught = is_so

    def caught_damage(self, found: Damage) -> None:
        """The control is caught by what it lost or doubled."""
        self.caught(not found.none, f"lost {found.lost}, doubled {found.doubled}")


@dataclass(slots=True)
class Ring:
    """Where one fault is played. advance: told of each answered command. until: when no more is sent."""

    folder: Path
    sizes: Sizes
    chance: Random
    advance: Callable[[int], None]
    until: float = math.inf

    def database(self, name: str) -> Path:
        """A SQLite file of this fault's own, with tables."""
        path = self.folder / f"{name}.db"
        open_wallet(f"sqlite:///{path}").close()
        return path

    def storm(self, url: str, customers: list[Customer], storm: Storm) -> tuple[Tally, Damage]:
        """Plays it and counts."""
        tally = rage(url, customers, storm, self.chance, self.advance, self.until)
        return tally, damage(url, customers, tally)


Fault = Callable[[Ring, Finding], None]


def customers_of(database_url: str, count: int = CUSTOMERS) -> list[Customer]:
    """Tables where there are none, and customers with money."""
    engine = make_engine(database_url)
    if not has_schema(engine):
        create_schema(engine)
    engine.dispose()
    with closing(open_wallet(database_url)) as wallet:
        return welcome(wallet, count)
