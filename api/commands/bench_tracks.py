"""`platepay bench tracks`: how sure and how right the pipeline is after one look, two, three, five ..."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from api.commands.bench_passes import (
    LOOKS,
    SURE_PPM,
    Passed,
    Still,
    drawn_stills,
    labelled_stills,
    run_pass,
    summarise,
)
from api.commands.evaluate_all import find_data
from api.commands.failures import CommandError
from vision.backends import load_detector, load_reader, load_second_reader
from vision.picture import Detector, Reader

SEED: Final = 7
# How many stills of each set are shown, and how many with --quick.
PASSES, QUICK_PASSES = 120, 6
PIPED_WIDTH: Final = 130
# What may be wrong of what is accepted, and how many passes must keep to one track.
MOST_WRONG, LEAST_ONE_TRACK = SURE_PPM / 1_000_000, 0.99


def bench_tracks(
    *, data: Path | None, as_json: bool, check: bool, quick: bool, engine: str, passes: int | None
) -> int:
    """Run the passes and print; returns 1 where `check` finds a bar missed."""
    count = passes or (QUICK_PASSES if quick else PASSES)
    detector, first, second = load_detector(engine), load_reader(engine), load_second_reader(engine)
    result: dict[str, Any] = {"seed": SEED, "sure_ppm": SURE_PPM, "sets": {}}
    started, shown = time.process_time(), 0
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for name, stills in still_sets(data, count).items():
            bar = progress.add_task(name, total=count)
            seen = []
            for still in stills:
                seen.append(run_still(still, shown, detector, first, second))
                shown += 1
                progress.advance(bar)
            result["sets"][name] = summarise(seen)
    result["cpu_s_a_pass"] = round((time.process_time() - started) / max(shown, 1), 3)
    missed = missed_bars(result["sets"])
    result["missed"] = missed
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    else:
        print_tables(result)
    for bar_missed in missed if check else ():
        sys.stderr.write(f"platepay: {bar_missed}\n")
    return 1 if check and missed else 0


def run_still(still: Still, number: int, detector: Detector, first: Reader, second: Reader) -> Passed:
    """One pass; each still has a seed of its own."""
    return run_pass(still, SEED * 100_003 + number, detector, first, second)


def still_sets(data: Path | None, count: int) -> Mapping[str, Iterator[Still]]:
    """The stills by set: labelled pictures where there are any, and drawn ones only where there are none."""
    try:
        folder = find_data(data)
    except CommandError:
        if data is not None:
            raise
        return {"drawn": drawn_stills(count, SEED)}
    return {
        "dev/passerbyzzz_provinces": labelled_stills(
            folder / "dev/passerbyzzz_provinces/labels.csv", held_out_only=False, most=count, seed=SEED
        ),
        "train/scenes held out": labelled_stills(
            folder / "train/scenes/labels.csv", held_out_only=True, most=count, seed=SEED
        ),
    }


def missed_bars(sets: Mapping[str, Any]) -> list[str]:
    """What does not hold, one line each. A bar is missed where the whole interval is beyond it."""
    missed = []
    for name, found in sets.items():
        whole = found["looks"]["both"][str(LOOKS[-1])]
        wrong, one_track = whole["wrong_of_accepted"], found["passes_with_one_track"]
        if wrong["of"] and wrong["low"] > MOST_WRONG:
            missed.append(
                f"{name}: {wrong['right']} of {wrong['of']} accepted are wrong; the bar is {MOST_WRONG:.1%}"
            )
        if one_track["of"] and one_track["high"] < LEAST_ONE_TRACK:
            missed.append(
                f"{name}: {one_track['right']} of {one_track['of']} passes keep to one track; "
                f"the bar is {LEAST_ONE_TRACK:.0%}"
            )
        alone = found["looks"]["both"]["1"]
        if whole["exact"]["of"] and whole["exact"]["high"] < alone["exact"]["share"]:
            missed.append(f"{name}: more looks read fewer plates than one")
    return missed


def print_tables(result: Mapping[str, Any]) -> None:
    """For people."""
    console = Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
    for name, found in result["sets"].items():
        title = f"{name}: {found['passes']} passes, {found['id_switches']} id switches"
        table = Table(title=title, title_justify="left")
        headings = (
            "readers",
            "looks",
            "exact",
            "95 %",
            "accepted",
            "95 %",
            "wrong of them",
            "95 %",
            "claimed",
        )
        for heading in headings:
            table.add_column(heading, justify="left" if heading == "readers" else "right")
        for reader, rows in found["looks"].items():
            for looks, row in rows.items():
                table.add_row(reader, looks, *cells(row))
        console.print(table)
    console.print(f"{result['cpu_s_a_pass']:.2f} s of CPU a pass; sure: at most {SURE_PPM} ppm")


def cells(row: Mapping[str, Any]) -> Sequence[str]:
    """One row of a table, from the exact plates on."""
    found = []
    for name in ("exact", "accepted", "wrong_of_accepted"):
        count = row[name]
        found.append(f"{count['right']} of {count['of']}")
        found.append(f"{count['low']:.1%}-{count['high']:.1%}" if count["of"] else "")
    return [*found, f"{row['claimed_wrong']:.2f}"]
