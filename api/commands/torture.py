"""`platepay torture`: everything that can happen to money, played; nothing may be lost or doubled."""

from __future__ import annotations

import json
import logging
import math
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
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
from api.commands.torture_faults import Fault, Finding, Ring
from api.commands.torture_kills import (
    postgresql_killed,
    power_cut_on_sqlite,
    primary_lost,
    reply_lost,
    service_killed_on_postgresql,
    service_killed_on_sqlite,
)
from api.commands.torture_links import redis_lost, station_cut_off
from api.commands.torture_rounds import SHARES, Notes, Played, Turn, together, turns_of

log = logging.getLogger(__name__)

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
QUICK = (1_200, 12)


def torture(
    *,
    seed: int,
    commands: int,
    kills: int,
    only: str,
    quick: bool,
    as_json: bool,
    folder: Path | None,
    state: Path | None = None,
    minutes: int | None = None,
) -> int:
    """Plays every fault; 1 where anything was lost or doubled, a control not caught, or time was up before.

    state: a file that keeps what is done; a run with the same file and sizes goes on from there.
    minutes: after so long no more is sent; what was sent is counted and shown.
    """
    chosen = {name: fault for name, fault in FAULTS.items() if only in name}
    if not chosen:
        raise CommandError(f"--only {only!r} is in none of: {'; '.join(FAULTS)}")
    if folder is not None and not folder.is_dir():
        raise CommandError(f"--folder {folder}: is no folder")
    if quick:
        commands, kills = QUICK
    turns = turns_of(chosen, commands, kills)
    notes = Notes(state, {"seed": seed, "commands": commands, "kills": kills, "only": only})
    until = math.inf if minutes is None else time.monotonic() + minutes * 60
    try:
        _play_all(turns, notes, seed, folder, until)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; this is what was played\n")
    result = as_dict(seed, notes.played(turns), turns)
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    else:
        _print(result)
    return 0 if result["ok"] and result["finished"] else 1


def _play_all(turns: list[Turn], notes: Notes, seed: int, folder: Path | None, until: float) -> None:
    """Plays what is not done yet, and writes each turn down; SIGTERM ends it like Ctrl-C."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    done = {one.turn.key for one in notes.played(turns)}
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            bar = progress.add_task("starting", total=expected(turns))
            for turn in turns:
                if turn.key in done:
                    progress.advance(bar, expected([turn]))
                    continue
                if time.monotonic() >= until:
                    return
                progress.update(bar, description=f"{turn.fault} {turn.number + 1}/{turn.of}")
                # Each turn has a seed of its own: --only plays it as it was played among the others.
                chance = Random(f"{seed}/{turn.key}")  # noqa: S311  to be repeated, not to be secret
                played = play(
                    turn,
                    FAULTS[turn.fault],
                    chance,
                    folder,
                    lambda count: progress.advance(bar, count),
                    until,
                )
                notes.add(played)
                if turn.of > 1:
                    console.print(_line(played), highlight=False)
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _line(played: Played) -> str:
    turn, finding = played.turn, played.finding
    return (
        f"{turn.fault} {turn.number + 1}/{turn.of}: {finding.commands:,} commands, {finding.kills} kills, "
        f"{finding.lost} lost, {finding.doubled} doubled, {played.seconds:.0f} s"
    )


def expected(turns: Iterable[Turn]) -> float:
    """About how many commands the storms will send, for the bar."""
    return sum(turn.sizes.commands + turn.sizes.control for turn in turns if turn.fault in SHARES)


def play(
    turn: Turn,
    fault: Fault,
    chance: Random,
    folder: Path | None,
    advance: Callable[[int], None],
    until: float = math.inf,
) -> Played:
    """One turn in a folder of its own, which is removed."""
    started = time.monotonic()
    finding = Finding()
    ring = Path(tempfile.mkdtemp(prefix="platepay-torture-", dir=folder))
    try:
        fault(Ring(ring, turn.sizes, chance, advance, until), finding)
    except Exception as error:
        # The outermost catch of a turn: what could not be played is shown as broken, and the others go on.
        log.exception("%s could not be played", turn.key)
        finding.wrong.append(f"not played to its end: {type(error).__name__}: {error}"[:300])
    finally:
        shutil.rmtree(ring, ignore_errors=True)
    return Played(turn, finding, time.monotonic() - started)


def as_dict(seed: int, played: list[Played], turns: list[Turn]) -> dict[str, Any]:
    """For machines: the sums, and each fault with all its rounds."""
    found = together(played)
    findings = [finding for finding, _ in found.values()]
    return {
        "seed": seed,
        "ok": all(finding.ok for finding in findings),
        "finished": len(played) == len(turns) and not any(finding.cut_short for finding in findings),
        "rounds": f"{len(played)} of {len(turns)}",
        "commands": sum(finding.commands for finding in findings),
        "kills": sum(finding.kills for finding in findings),
        "lost": sum(finding.lost for finding in findings),
        "doubled": sum(finding.doubled for finding in findings),
        "faults": [
            {"name": name, "ok": finding.ok, **asdict(finding), "seconds": round(seconds, 1)}
            for name, (finding, seconds) in found.items()
        ],
    }


# What is wrong with a fault has this much room in the table.
WHY_SHOWN = 60


def _print(result: dict[str, Any]) -> None:
    title = f"torture, seed {result['seed']}"
    # Without a frame it fits into 80 columns, which is what a log has.
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("fault", "commands", "kills", "again", "lost", "doubled", "s", ""):
        words = heading in ("fault", "")
        table.add_column(heading, justify="left" if words else "right", no_wrap=heading != "")
    for one in result["faults"]:
        verdict = "[green]holds[/green]" if one["ok"] else "[bold red]broken[/bold red]"
        if one["skipped"]:
            verdict = "[bold red]not played[/bold red]"
        why = "; ".join(one["wrong"][:2]) or ("" if one["control_caught"] else "control not caught")
        table.add_row(
            one["name"],
            f"{one['commands']:,}",
            str(one["kills"]),
            f"{one['repeats']:,}",
            str(one["lost"]),
            str(one["doubled"]),
            f"{one['seconds']:.0f}",
            verdict if one["ok"] or not why else f"{verdict}: {why[:WHY_SHOWN]}",
        )
    console = Console()
    console.print(table)
    for one in result["faults"]:
        if one["skipped"]:
            console.print(f"{one['name']} was not played: {one['skipped']}")
        if one["control"]:
            console.print(f"control of {one['name']}: {one['control']}")
    console.print(
        f"{result['commands']:,} commands, {result['kills']} kills: {result['lost']} lost, "
        f"{result['doubled']} doubled"
    )
    if not result["finished"]:
        console.print(f"not finished: {result['rounds']} rounds were played")
