"""`platepay torture`: everything that can happen to money, played; nothing may be lost or doubled."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from api.commands.failures import CommandError
from api.commands.torture_cases import (
    disk_full,
    duplicate_sightings,
    late_and_out_of_order,
    other_body,
    poison,
    races,
    webhooks,
    wrong_clock,
)
from api.commands.torture_faults import Fault, Finding, Ring, Sizes
from api.commands.torture_kills import (
    postgresql_killed,
    power_cut_on_sqlite,
    primary_lost,
    reply_lost,
    service_killed_on_postgresql,
    service_killed_on_sqlite,
)
from api.commands.torture_links import redis_lost, station_cut_off

# By the numbers of the list of faults; the second of two with one number is the other database.
FAULTS: dict[str, Fault] = {
    "1 reply lost": reply_lost,
    "2 service killed, SQLite": service_killed_on_sqlite,
    "2 service killed, PostgreSQL": service_killed_on_postgresql,
    "3 PostgreSQL killed": postgresql_killed,
    "4 power cut, SQLite": power_cut_on_sqlite,
    "5 Redis lost": redis_lost,
    "6 primary lost": primary_lost,
    "7 duplicate sightings": duplicate_sightings,
    "8 races": races,
    "9 same name, other body": other_body,
    "10 clock wrong": wrong_clock,
    "11 late, out of order": late_and_out_of_order,
    "12 disk full": disk_full,
    "13 station cut off": station_cut_off,
    "14 webhooks": webhooks,
    "15 poison": poison,
}
# Of all commands and kills, what each storm gets. The others have sizes of their own.
SHARES = {
    "1 reply lost": 0.1,
    "2 service killed, SQLite": 0.3,
    "2 service killed, PostgreSQL": 0.3,
    "3 PostgreSQL killed": 0.2,
    "4 power cut, SQLite": 0.2,
}
QUICK = (1_200, 12)
CONTROL = 400


@dataclass(frozen=True, slots=True)
class Played:
    """A fault, what came of it, and how long it took."""

    name: str
    finding: Finding
    seconds: float


def torture(
    *, seed: int, commands: int, kills: int, only: str, quick: bool, as_json: bool, folder: Path | None
) -> int:
    """Plays every fault; 1 where anything was lost or doubled, or a control was not caught."""
    chosen = {name: fault for name, fault in FAULTS.items() if only in name}
    if not chosen:
        raise CommandError(f"--only {only!r} is in none of: {'; '.join(FAULTS)}")
    if quick:
        commands, kills = QUICK
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("starting", total=expected(chosen, commands))
        played = []
        for name, fault in chosen.items():
            progress.update(bar, description=name)
            sizes = Sizes(
                commands=max(1, round(commands * SHARES.get(name, 0))),
                kills=max(1, round(kills * SHARES.get(name, 0))),
                control=CONTROL,
            )
            # Each fault has a seed of its own: --only plays it as it was played among the others.
            chance = Random(f"{seed}/{name}")  # noqa: S311  to be repeated, not to be secret
            played.append(
                play(name, fault, sizes, chance, folder, lambda count: progress.advance(bar, count))
            )
    result = as_dict(seed, played)
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    else:
        _print(seed, played, result)
    return 0 if result["ok"] else 1


def expected(chosen: dict[str, Fault], commands: int) -> float:
    """About how many commands the storms will send, for the bar."""
    return sum(commands * share + CONTROL for name, share in SHARES.items() if name in chosen)


def play(name: str, fault: Fault, sizes: Sizes, chance: Random, folder: Path | None, advance: Any) -> Played:
    """One fault in a folder of its own, which is removed."""
    started = time.monotonic()
    finding = Finding()
    ring = Path(tempfile.mkdtemp(prefix="platepay-torture-", dir=folder))
    try:
        fault(Ring(ring, sizes, chance, advance), finding)
    finally:
        shutil.rmtree(ring, ignore_errors=True)
    return Played(name, finding, time.monotonic() - started)


def as_dict(seed: int, played: list[Played]) -> dict[str, Any]:
    """For machines: the sums, and each fault."""
    return {
        "seed": seed,
        "ok": all(one.finding.ok for one in played),
        "commands": sum(one.finding.commands for one in played),
        "kills": sum(one.finding.kills for one in played),
        "lost": sum(one.finding.lost for one in played),
        "doubled": sum(one.finding.doubled for one in played),
        "faults": [
            {
                "name": one.name,
                "ok": one.finding.ok,
                "commands": one.finding.commands,
                "kills": one.finding.kills,
                "repeats": one.finding.repeats,
                "lost": one.finding.lost,
                "doubled": one.finding.doubled,
                "wrong": one.finding.wrong,
                "control": one.finding.control,
                "control_caught": one.finding.control_caught,
                "skipped": one.finding.skipped,
                "seconds": round(one.seconds, 1),
            }
            for one in played
        ],
    }


def _print(seed: int, played: list[Played], result: dict[str, Any]) -> None:
    table = Table(title=f"torture, seed {seed}", title_justify="left")
    for heading in ("fault", "commands", "kills", "again", "lost", "doubled", "s", "result"):
        words = heading in ("fault", "result")
        table.add_column(heading, justify="left" if words else "right", no_wrap=heading == "fault")
    for one in played:
        finding = one.finding
        verdict = "[green]holds[/green]" if finding.ok else "[bold red]broken[/bold red]"
        if finding.skipped:
            verdict = f"not played: {finding.skipped}"
        why = "; ".join(finding.wrong[:2]) or ("" if finding.control_caught else "control not caught")
        table.add_row(
            one.name,
            f"{finding.commands:,}",
            str(finding.kills),
            str(finding.repeats),
            str(finding.lost),
            str(finding.doubled),
            f"{one.seconds:.0f}",
            verdict if finding.ok else f"{verdict}: {why}",
        )
    console = Console()
    console.print(table)
    for one in played:
        if one.finding.control:
            console.print(f"control of {one.name}: {one.finding.control}")
    console.print(
        f"{result['commands']:,} commands, {result['kills']} kills: {result['lost']} lost, "
        f"{result['doubled']} doubled"
    )
