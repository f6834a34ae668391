"""`platepay simulate`: a city of a million customers, and years of forecourt, from one seed."""

from __future__ import annotations

import itertools
import json
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from api.commands import simulate_forecourt as forecourt
from api.commands.failures import CommandError
from api.simulation.bugs import BUGS
from api.simulation.city import City, missed_bars, times_fewer
from api.simulation.issue import HOMES
from api.simulation.misreads import load_misreads

CUSTOMERS, QUICK_CUSTOMERS = 1_000_000, 30_000
VISITS, QUICK_VISITS = 400_000, 6_000
PIPED_WIDTH: Final = 130
MOST_CAUSES: Final = 12
PARTS: Final = ("all", "city", "forecourt")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for. None: the usual size, or the quick one."""

    seed: int
    only: str
    customers: int | None
    visits: int | None
    misreads: Path | None
    seconds: float | None
    bug: str | None
    bugs: bool
    quick: bool
    check: bool
    as_json: bool
    workers: int = 1


def simulate(asked: Asked) -> int:
    """Run what was asked for and print; returns 1 where `check` finds a bar missed."""
    if asked.only not in PARTS:
        raise CommandError(f"--only {asked.only}: is none of {', '.join(PARTS)}")
    if asked.bug is not None or asked.bugs:
        asked = replace(asked, only="forecourt")
    started = time.monotonic()
    result: dict[str, Any] = {"seed": asked.seed, "missed": []}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        if asked.only in ("all", "city"):
            result["city"] = run_city(asked, progress)
            result["missed"] += missed_bars(result["city"])
        if asked.only in ("all", "forecourt") and not asked.bugs:
            result["forecourt"] = run_plans(asked, progress)
            result["missed"] += forecourt.missed_in_plans(result["forecourt"])
        if asked.bugs:
            result["planted"] = run_bugs(asked, progress)
            result["missed"] += forecourt.missed_bugs(result["planted"])
    result["seconds"] = round(time.monotonic() - started, 1)
    if asked.as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    else:
        tell(result)
    for line in result["missed"] if asked.check else ():
        sys.stderr.write(f"platepay: {line}\n")
    return 1 if asked.check and result["missed"] else 0


def run_city(asked: Asked, progress: Progress) -> dict[str, Any]:
    """The statistical city."""
    misreads = load_misreads(asked.misreads)
    customers = asked.customers or (QUICK_CUSTOMERS if asked.quick else CUSTOMERS)
    visits = asked.visits or (QUICK_VISITS if asked.quick else VISITS)
    bar = progress.add_task("plates", total=None)
    homes = HOMES[:1] if asked.quick else HOMES
    told = partial(progress.update, bar)
    city = City(customers, misreads, asked.seed, tell=lambda what: told(description=what), homes=homes)
    progress.update(bar, description="visits", total=visits)
    return city.run(
        visits, lambda _, done, total: progress.update(bar, completed=done, total=total), asked.workers
    )


def run_plans(asked: Asked, progress: Progress) -> dict[str, Any]:
    """The forecourt, with a planted bug where one was asked for."""
    bug = None if asked.bug is None else forecourt.bug_named(asked.bug)
    usual = forecourt.QUICK_SECONDS if asked.quick else forecourt.SECONDS
    seconds = usual if asked.seconds is None else asked.seconds
    bar = progress.add_task("forecourt, seconds", total=max(1, round(seconds)))
    return forecourt.run_plans(asked.seed, seconds, bug, lambda done: progress.update(bar, completed=done))


def run_bugs(asked: Asked, progress: Progress) -> dict[str, Any]:
    """All planted bugs."""
    usual = forecourt.QUICK_BUGS_SECONDS if asked.quick else forecourt.BUGS_SECONDS
    seconds = usual if asked.seconds is None else asked.seconds
    bar = progress.add_task("planted bugs", total=len(BUGS))
    return forecourt.run_bugs(asked.seed, seconds, lambda: progress.advance(bar))


def tell(result: dict[str, Any]) -> None:
    """For people."""
    console = Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
    if "city" in result:
        tell_city(console, result["city"])
    if "forecourt" in result:
        forecourt.tell_plans(console, result["forecourt"])
    if "planted" in result:
        forecourt.tell_bugs(console, result["planted"])
    for line in result["missed"]:
        console.print(f"missed: {line}")
    console.print(f"seed {result['seed']}, {result['seconds']} s")


def tell_city(console: Console, city: dict[str, Any]) -> None:
    """The table of the city."""
    ours, measured = city["ours"], city["measurement"]
    title = (
        f"{', '.join(city['cities'])}: {city['customers']:,} customers each; "
        f"{city['drawn']:,} visits drawn from {measured['sightings']:,} measured sightings"
    )
    table = Table(title=title, title_justify="left")
    table.add_column("who decides")
    for heading in ("wrong-customer debits a 100,000 visits", "95 %", "automatic"):
        table.add_column(heading, justify="right")
    table.add_row("platepay", *_rates(ours))
    for name, row in city["baselines"].items():
        table.add_row(name, *_rates(row))
    console.print(table)
    parts = Table(title="By kind of visit (platepay)", title_justify="left")
    parts.add_column("kind")
    for heading in ("share of visits", "drawn", "automatic", "wrong debits drawn", "wrong a 100,000 visits"):
        parts.add_column(heading, justify="right")
    for name, part in city["parts"].items():
        parts.add_row(
            name,
            f"{part['share']:.3%}",
            f"{part['drawn']:,}",
            f"{part['automatic']:.1%}",
            str(part["wrong_drawn"]),
            f"{part['wrong_per_100k']:.3f}",
        )
    console.print(parts)
    console.print(
        f"{times_fewer(city):.1f} times fewer than exact match "
        f"({times_fewer(city, of_its_colour=True):.1f}, had it known colours); "
        f"review costs {ours['review_fen_a_visit']:.2f} fen a visit"
    )
    console.print(_causes(city))
    console.print(
        f"{measured['wrong']} of the measured sightings were wrong, {measured['wrong_that_debited']} of them "
        f"could debit, the worst alone {measured['worst_alone_per_100k']:.2f} times a 100,000 visits;"
    )
    console.print(
        f"so few sightings do not exclude {measured['bound_per_100k']:.1f} wrong debits a 100,000 (95 %)"
    )


def _causes(city: dict[str, Any]) -> Table:
    """Where wrong debits and visits that a person looks at come from; the most of each."""
    table = Table(title="Where it comes from", title_justify="left")
    table.add_column("wrong debits")
    table.add_column("drawn", justify="right")
    table.add_column("a 100,000 visits", justify="right")
    table.add_column("not automatic: what the pump's camera saw, first reason")
    table.add_column("of visits", justify="right")
    rows = itertools.zip_longest(city["wrong_because"][:MOST_CAUSES], city["not_automatic"][:MOST_CAUSES])
    for wrong, asked in rows:
        table.add_row(
            *(("", "", "") if wrong is None else _cells(wrong)),
            *(
                ("", "")
                if asked is None
                else (f"{asked['seen']}: {asked['reason']}", f"{asked['share']:.2%}")
            ),
        )
    return table


def _cells(wrong: dict[str, Any]) -> tuple[str, str, str]:
    return wrong["from"], str(wrong["drawn"]), f"{wrong['wrong_per_100k']:.3f}"


def _rates(row: dict[str, Any]) -> tuple[str, str, str]:
    return (
        f"{row['wrong_per_100k']:.3f}",
        f"{row['low']:.3f}-{row['high']:.3f}",
        f"{row['automatic']:.2%}",
    )
