"""The forecourt of `platepay simulate`: plans, planted bugs, and what is printed of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from api.commands.failures import CommandError
from api.simulation.bugs import BUGS, Bug
from api.simulation.forecourt import (
    DAYS,
    MOST_SEEDS,
    find_bugs,
    play,
    run_forecourt,
    shortest,
    workplace,
)
from api.simulation.forecourt_plan import make_plan

SECONDS, QUICK_SECONDS = 120.0, 6.0
QUICK_BUGS_SECONDS: Final = 25.0
BUGS_SECONDS: Final = 3_600.0
SHORTEN_SECONDS: Final = 60.0


def bug_named(name: str) -> Bug:
    """The planted bug; raises CommandError with the names there are."""
    for bug in BUGS:
        if bug.name == name:
            return bug
    raise CommandError(f"--bug {name}: is none of {', '.join(bug.name for bug in BUGS)}")


def run_plans(seed: int, seconds: float, bug: Bug | None, progress: Callable[[int], None]) -> dict[str, Any]:
    """Plays plans until the time is over or a rule is broken; then the fewest steps that break it."""
    with workplace() as place:
        if bug is None:
            result = run_forecourt(seed, seconds, place, DAYS, progress)
            return _shortened(result, None)
        with bug.planted():
            return _shortened(run_forecourt(seed, seconds, place, DAYS, progress), bug)


def _shortened(result: dict[str, Any], bug: Bug | None) -> dict[str, Any]:
    result["bug"] = None if bug is None else bug.name
    if result["found"] is None:
        return result
    with workplace() as place:
        plan = make_plan(result["found"]["seed"], DAYS)
        found = play(plan, place).found
        if found is None:
            raise RuntimeError(f"seed {plan.seed} does not replay: the simulation is not deterministic")
        steps = shortest(plan, place, found, time.monotonic() + SHORTEN_SECONDS)
    result["found"]["shortest"] = [step.words() for step in steps]
    return result


def run_bugs(seed: int, seconds: float, progress: Callable[[], None]) -> dict[str, Any]:
    """Every planted bug in turn."""
    with workplace() as place:
        rows = find_bugs(BUGS, seed, DAYS, place, time.monotonic() + seconds, progress)
    return {"most_seeds": MOST_SEEDS, "bugs": rows, "not_tried": [bug.name for bug in BUGS[len(rows) :]]}


def missed_in_plans(result: dict[str, Any]) -> list[str]:
    """The rule that was broken, if any."""
    found = result["found"]
    if found is None:
        return []
    return [f"forecourt: seed {found['seed']} breaks {found['rule']}: {found['what']}"]


def missed_bugs(result: dict[str, Any]) -> list[str]:
    """The planted bugs that were not found."""
    return [
        f"forecourt: the planted bug {row['bug']} was not found within {result['most_seeds']} seeds"
        for row in result["bugs"]
        if row["seeds"] is None
    ]


def tell_plans(console: Console, result: dict[str, Any]) -> None:
    """For people."""
    first, last = result["seeds"]
    table = Table(title=f"Forecourt: seeds {first} to {last}", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in (
        ("station days", f"{result['station_days']:,}"),
        ("station years an hour of CPU", f"{result['station_years_a_cpu_hour']:g}"),
        ("steps, all rules checked after each", f"{result['steps']:,}"),
        ("stays of cars", f"{result['stays']:,}"),
        ("debits", f"{result['debits']:,}"),
        ("double debits", str(result["double_debits"])),
        ("power cuts in a transaction", f"{result['power_cuts']:,}"),
        ("wrong debits by a plate that was surely misread", str(result["wrong_misread"])),
        ("wrong debits because no camera told of a car", str(result["wrong_unheard"])),
        ("rules broken", "none" if result["found"] is None else result["found"]["rule"]),
    ):
        table.add_row(name, value)
    console.print(table)
    if result["found"] is not None:
        console.print(f"{result['found']['rule']}: {result['found']['what']}")
        console.print("The fewest steps that break it:")
        for line in result["found"]["shortest"]:
            console.print(line, soft_wrap=True, markup=False)


def tell_bugs(console: Console, result: dict[str, Any]) -> None:
    """For people."""
    table = Table(title="Planted bugs", title_justify="left")
    for heading in ("bug", "the rule it takes away", "seeds", "found by"):
        table.add_column(heading)
    for row in result["bugs"]:
        seeds = "not found" if row["seeds"] is None else str(row["seeds"])
        table.add_row(row["bug"], row["breaks"], seeds, row["rule"] or "")
    console.print(table)
    if result["not_tried"]:
        console.print(f"no time left for {', '.join(result['not_tried'])}")
