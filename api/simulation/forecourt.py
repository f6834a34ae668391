"""Years of forecourt: plans are played against the real wallet, and all is checked after every step."""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.simulation.bugs import Bug
from api.simulation.forecourt_checks import Checks, Violation
from api.simulation.forecourt_plan import DAY_S, STATIONS, Plan, Step, make_plan
from api.simulation.forecourt_world import World
from wallet.service import open_wallet

# Memory, where the machine offers it as a folder: the wallet is asked to be durable all the same.
_MEMORY: Final = Path("/dev/shm")  # noqa: S108
DAYS: Final = 2
YEAR_DAYS: Final = 365.25
# Every planted bug is found within so many seeds.
MOST_SEEDS: Final = 12


@dataclass(frozen=True, slots=True)
class Found:
    """A plan that breaks a rule. step: the number of the step after which it did."""

    seed: int
    rule: str
    what: str
    step: int


@dataclass(frozen=True, slots=True)
class Played:
    """What one plan came to."""

    seed: int
    days: int
    steps: int
    stays: int
    debits: int
    power_cuts: int
    wrong_misread: int
    wrong_unheard: int
    found: Found | None


@dataclass(frozen=True, slots=True)
class Place:
    """A folder for databases, with one that is empty."""

    folder: Path
    template: Path


@contextmanager
def workplace() -> Iterator[Place]:
    """A folder that is gone afterwards."""
    root = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="platepay-simulate-", dir=root) as name:
        template = Path(name) / "empty.db"
        open_wallet(f"sqlite:///{template}").close()
        yield Place(Path(name), template)


def play(plan: Plan, place: Place, steps: Sequence[Step] | None = None) -> Played:
    """Plays a plan, or only some of its steps, up to its end or the first rule that is broken."""
    world = World(plan, place.folder, place.template)
    checks = Checks(world, plan)
    found: Found | None = None
    try:
        for step in plan.steps if steps is None else steps:
            checks.after(world.do(step))
        for hours in (0, 3, 24):
            checks.after(world.do(Step(plan.days * DAY_S + hours * 3_600 + 1, "sweep", {})))
        checks.end()
    except Violation as violation:
        found = Found(plan.seed, violation.rule, violation.what, checks.steps - 1)
    except Exception as error:  # noqa: BLE001  whatever the wallet raises unasked is what we look for
        where = traceback.extract_tb(error.__traceback__)[-1]
        told = str(error).splitlines()[0] if str(error) else ""
        found = Found(
            plan.seed, f"error {type(error).__name__}", f"{told} ({Path(where.filename).name})", checks.steps
        )
    finally:
        world.close()
    return Played(
        seed=plan.seed,
        days=plan.days,
        steps=checks.steps,
        stays=len(plan.stays),
        debits=checks.debits,
        power_cuts=world.power_cuts,
        wrong_misread=checks.wrong_misread,
        wrong_unheard=checks.wrong_unheard,
        found=found,
    )


def shortest(plan: Plan, place: Place, found: Found, deadline: float) -> list[Step]:
    """The fewest steps found that break the same rule: whole groups are left out, then smaller ones."""

    def fails(steps: Sequence[Step]) -> bool:
        played = play(plan, place, steps)
        return played.found is not None and played.found.rule == found.rule

    steps = list(plan.steps[: found.step + 1])
    size = max(1, len(steps) // 2)
    while size and time.monotonic() < deadline:
        start, shrunk = len(steps) - size, False
        while start > -size and time.monotonic() < deadline:
            fewer = steps[: max(0, start)] + steps[start + size :]
            if len(fewer) < len(steps) and fails(fewer):
                steps, shrunk = fewer, True
            start -= size
        size = size // 2 if not shrunk or size > 1 else size
        if size == 1 and not shrunk:
            break
    return steps


def run_forecourt(
    first_seed: int, seconds: float, place: Place, days: int, progress: Callable[[int], None]
) -> dict[str, Any]:
    """Plays seed after seed for so long; stops at the first that breaks a rule."""
    started, started_cpu = time.monotonic(), time.process_time()
    played: list[Played] = []
    seed = first_seed
    while not played or (time.monotonic() - started < seconds and played[-1].found is None):
        played.append(play(make_plan(seed, days), place))
        seed += 1
        progress(round(time.monotonic() - started))
    took, took_cpu = time.monotonic() - started, time.process_time() - started_cpu
    return {
        **summary(played),
        "seeds": [first_seed, seed - 1],
        "seconds": round(took, 1),
        "station_years_a_cpu_hour": round(
            sum(one.days for one in played) * len(STATIONS) / YEAR_DAYS / took_cpu * 3_600, 1
        ),
        "found": None if played[-1].found is None else _as_dict(played[-1].found),
    }


def find_bugs(
    bugs: Sequence[Bug],
    first_seed: int,
    days: int,
    place: Place,
    deadline: float,
    progress: Callable[[], None],
) -> list[dict[str, Any]]:
    """For each planted bug after how many seeds it was found, and by which rule; None: it was not.

    Bugs whose turn comes after the deadline are not tried.
    """
    rows = []
    for bug in bugs:
        if time.monotonic() > deadline:
            break
        with bug.planted():
            found = None
            for seeds in range(1, MOST_SEEDS + 1):
                found = play(make_plan(first_seed + seeds - 1, days), place).found
                if found is not None:
                    break
        rows.append(
            {
                "bug": bug.name,
                "breaks": bug.breaks,
                "seeds": None if found is None else seeds,
                "rule": None if found is None else found.rule,
                "what": None if found is None else found.what,
            }
        )
        progress()
    return rows


def summary(played: Sequence[Played]) -> dict[str, Any]:
    """Everything that was played, added up."""
    names = ("steps", "stays", "debits", "power_cuts", "wrong_misread", "wrong_unheard")
    total = {name: sum(getattr(one, name) for one in played) for name in names}
    return {**total, "station_days": sum(one.days for one in played) * len(STATIONS), "double_debits": 0}


def _as_dict(found: Found) -> dict[str, Any]:
    return {"seed": found.seed, "rule": found.rule, "what": found.what, "step": found.step}
