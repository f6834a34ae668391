"""`platepay evaluate --all`: every labelled set, the negatives and the videos, held against the bars."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from api.commands.error_sheet import check_folder, write_sheets
from api.commands.evaluate_bars import Verdict, judge
from api.commands.evaluate_sets import SEED, LoadedSet, load_sets
from api.commands.failures import CommandError
from api.commands.readers import open_readers
from api.settings import LABELLED_DATA
from vision.backends import load_detector
from vision.cards import WEIGHTS
from vision.metrics import Report, summary
from vision.picture import Detector, Reader

DATA_BESIDE: Final = Path("..") / "shared" / "data"
# A terminal may be narrower; what is piped into a file is not folded.
PIPED_WIDTH: Final = 160
HEADINGS: Final = (
    "set",
    "pictures",
    "found",
    "exact",
    "95 % interval",
    "province",
    "last six",
    "wrong a picture",
    "ok at 1 %",
    "0.5 %",
    "0.1 %",
    "0",
    "ECE",
)


def evaluate_all(
    *,
    data: Path | None,
    as_json: bool,
    check: bool,
    quick: bool,
    engine: str,
    readers: str,
    errors: Path | None,
) -> int:
    """Judge every set and print; returns 1 where `check` finds a bar missed or a picture cannot be opened."""
    loaded = load_sets(find_data(data), is_sample=quick)
    folder = check_folder(errors) if errors is not None else None
    detector, reader = load_detector(engine), open_readers(readers, engine)
    started = time.perf_counter()
    reports = run_sets(loaded, detector, reader, with_views=folder is not None)
    figures = {
        "readers": readers,
        "sample": {"seed": SEED} if quick else None,
        "seconds": round(time.perf_counter() - started, 1),
        **figures_of({one.set.name: one.set.form for one in loaded}, reports),
        "weights_mb": round(sum(f.stat().st_size for f in WEIGHTS.glob("*.onnx")) / 1e6, 2),
    }
    verdicts = judge(figures, is_sample=quick)
    if as_json:
        whole = {**figures, "bars": [verdict.as_dict() for verdict in verdicts]}
        sys.stdout.write(json.dumps(whole, ensure_ascii=False) + "\n")
    else:
        print_figures(figures, verdicts)
    if folder is not None:
        write_sheets(folder, reports)
    unread = [f"{name}/{file}" for name, report in reports.items() for file in report.unread_pictures]
    for name in unread:
        sys.stderr.write(f"platepay: {name}: is missing or no picture; its plates count as not read\n")
    missed = [verdict for verdict in verdicts if verdict.holds is False]
    if check:
        for verdict in missed:
            sys.stderr.write(f"platepay: {sentence(verdict)}\n")
    return 1 if unread or (check and missed) else 0


def find_data(given: Path | None) -> Path:
    """The folder of the labelled pictures. Raises CommandError where it is not there."""
    folder = given or Path(os.environ.get(LABELLED_DATA) or DATA_BESIDE)
    if not folder.is_dir():
        raise CommandError(
            f"{folder}: is no folder; give the labelled pictures with --data, or name them in {LABELLED_DATA}"
        )
    return folder


def run_sets(
    loaded: Sequence[LoadedSet], detector: Detector, reader: Reader, *, with_views: bool = False
) -> dict[str, Report]:
    """The report of each set, by name; progress is shown on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    reports: dict[str, Report] = {}
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("reading pictures", total=sum(one.length for one in loaded))
        for one in loaded:
            progress.update(bar, description=one.set.name)
            report = reports[one.set.name] = Report()
            for _ in one.steps(detector, reader, report, with_views=with_views):
                progress.advance(bar)
    return reports


def figures_of(forms: Mapping[str, str], reports: Mapping[str, Report]) -> dict[str, Any]:
    """The figures of each set, and of sets taken together. forms: of each set, by name."""
    own = [name for name, form in forms.items() if form in ("scenes", "crops")]
    scenes = summary(reports[name] for name in own if forms[name] == "scenes").as_dict()
    together = summary(reports[name] for name in own).as_dict()
    rare = summary(reports[name] for name in ("cn_misc", "cn_extra") if name in reports).as_dict()
    kept = ("exact", "exact_supported", "unsupported_not_read", "energy", "kinds", "provinces")
    return {
        "sets": {name: {"form": forms[name], **report.as_dict()} for name, report in reports.items()},
        "together": {
            **{key: together[key] for key in (*kept, "worst_province", "calibration_error")},
            **{key: scenes[key] for key in ("pictures", "wrong_texts", "wrong_texts_a_picture")},
            "cn_misc_and_cn_extra": {
                key: rare[key] for key in ("exact", "exact_supported", "unsupported_not_read")
            },
        },
    }


def sentence(verdict: Verdict) -> str:
    """What is wrong with a bar that is missed."""
    bar = verdict.bar
    needs = f"{bar.sense} {bar.written(bar.limit)}"
    if verdict.figure is None:
        return f"bar missed: {bar.name}: {verdict.detail}, so nothing shows {needs}"
    of = f" ({verdict.detail})" if verdict.detail else ""
    return f"bar missed: {bar.name}: {bar.written(verdict.figure)}{of}, needs {needs}"


def print_figures(figures: Mapping[str, Any], verdicts: Sequence[Verdict]) -> None:
    """Tables for people."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPED_WIDTH)
    table = Table(title=f"readers: {figures['readers']}; {figures['seconds']:g} s", title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "set" else "right", no_wrap=True)
    for name, found in figures["sets"].items():
        table.add_row(name, *_cells(found))
    console.print(table)
    together = figures["together"]
    console.print("ok at 1 %: the share that can be accepted, by confidence, with so many errors among it.")
    console.print("kinds:     " + "   ".join(_short(k, found) for k, found in together["kinds"].items()))
    provinces = [_short(p, found) for p, found in together["provinces"].items() if found["of"]]
    console.print("provinces: " + "  ".join(provinces))
    console.print(f"worst province of all sets: {_short('', together['worst_province']).strip()}")
    supported, silent = together["exact_supported"], together["unsupported_not_read"]
    console.print(
        f"plates of supported kinds read exactly: {_short('', supported).strip()}; of kinds that are not, "
        f"given as not readable: {_short('', silent).strip()}"
    )
    console.print(f"expected calibration error, all sets: {together['calibration_error']:.2%}")
    _print_verdicts(console, verdicts)
    if figures["sample"] is not None:
        console.print(
            "A seeded sample: a bar counts as missed only where the sample's 95 % interval says so."
        )


def _print_verdicts(console: Console, verdicts: Sequence[Verdict]) -> None:
    table = Table(title="bars", title_justify="left")
    for heading in ("", "needs", "is", "", "holds"):
        table.add_column(heading)
    words = {True: "yes", False: "[bold]NO[/bold]", None: "not told by a sample"}
    for verdict in verdicts:
        bar = verdict.bar
        figure = "" if verdict.figure is None else bar.written(verdict.figure)
        needs = f"{bar.sense} {bar.written(bar.limit)}"
        table.add_row(bar.name, needs, figure, verdict.detail, words[verdict.holds])
    console.print(table)


def _cells(found: Mapping[str, Any]) -> list[str]:
    pictures, detected = str(found["pictures"]), _of(found["detected"])
    if found["form"] not in ("scenes", "crops"):
        return [pictures, detected, "", "", "", "", f"{found['texts']} texts", *[""] * 5]
    exact = found["exact"]
    interval = f"{exact['low']:.1%} – {exact['high']:.1%}" if exact["of"] else ""
    shares = [exact, found["province"], found["last_six"]]
    exactly, province, last_six = (f"{share['share']:.1%}" if share["of"] else "" for share in shares)
    wrong = f"{found['wrong_texts']} = {found['wrong_texts_a_picture']:.3f}"
    accepted = [f"{level['share']:.1%}" if level["of"] else "" for level in found["coverage"].values()]
    error = f"{found['calibration_error']:.2%}"
    return [
        pictures,
        detected,
        f"{_of(exact)} {exactly}",
        interval,
        province,
        last_six,
        wrong,
        *accepted,
        error,
    ]


def _of(found: Mapping[str, Any]) -> str:
    return f"{found['right']}/{found['of']}" if found["of"] else "–"


def _short(name: str, found: Mapping[str, Any]) -> str:
    name = name or str(found.get("name") or "")
    return f"{name} {found['right']}/{found['of']}"
