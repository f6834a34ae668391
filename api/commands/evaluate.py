"""`platepay evaluate LABELS`: the recogniser's score on one labelled set."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from api.commands.error_sheet import check_folder, write_sheets
from api.commands.failures import CommandError
from api.commands.readers import open_readers
from vision.backends import load_detector
from vision.labelled import evaluate_labels, read_labels

COLUMNS = ("file", "plate_text", "plate_type", "x1", "y1", "x2", "y2")


def evaluate(
    labels: Path, *, as_json: bool, crops: bool, engine: str, readers: str, errors: Path | None
) -> int:
    """Score the pictures of one labels.csv and print; returns 0, or 1 where pictures could not be opened."""
    _check(labels)
    folder = check_folder(errors) if errors is not None else None
    reader = open_readers(readers, engine)
    detector = load_detector(engine)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("reading pictures", total=None)
        report = evaluate_labels(
            read_labels(labels),
            detector,
            reader,
            lambda done, total: progress.update(bar, completed=done, total=total),
            crops=crops,
            with_views=folder is not None,
        )
    figures = report.as_dict()
    if as_json:
        sys.stdout.write(json.dumps(figures, ensure_ascii=False) + "\n")
    else:
        _print(labels, figures)
    if folder is not None:
        write_sheets(folder, {labels.resolve().parent.name: report})
    for name in report.unread_pictures:
        sys.stderr.write(f"platepay: {name}: is missing or no picture; its plates count as not read\n")
    return 1 if report.unread_pictures else 0


def _check(labels: Path) -> None:
    """Raises CommandError where the file cannot be a labels.csv."""
    try:
        with labels.open(encoding="utf-8", newline="") as file:
            columns = next(csv.reader(file), [])
    except OSError as error:
        raise CommandError(f"{labels}: cannot be read ({error.strerror}); give a labels.csv") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{labels}: is not UTF-8 text; give a labels.csv") from error
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise CommandError(f"{labels}: has no column {', '.join(missing)}; give a labels.csv")


def _print(labels: Path, figures: dict[str, Any]) -> None:
    console = Console()
    table = Table(title=f"{labels}: {figures['pictures']} pictures", title_justify="left")
    for heading in ("", "right", "of", "share", "95 % interval"):
        table.add_column(heading, justify="left" if not heading else "right")
    rows = {
        "plates found": figures["detected"],
        "exact plate": figures["exact"],
        "province": figures["province"],
        "last six": figures["last_six"],
        **{f"exact, {kind}": found for kind, found in figures["kinds"].items()},
        **{f"accepted at {float(level):.1%} error": found for level, found in figures["coverage"].items()},
    }
    for name, found in rows.items():
        table.add_row(name, str(found["right"]), str(found["of"]), *share_and_interval(found))
    console.print(table)
    worst = figures["worst_province"]
    if worst["of"]:
        console.print(f"worst province {worst['name']}: {worst['right']} of {worst['of']}")
    console.print(
        f"wrong texts a picture {figures['wrong_texts_a_picture']:.4f}, "
        f"expected calibration error {figures['calibration_error']:.2%}"
    )


def share_and_interval(found: dict[str, Any]) -> tuple[str, str]:
    """Both in per cent; empty where nothing was counted."""
    if not found["of"]:
        return "", ""
    return f"{found['share']:.2%}", f"{found['low']:.2%} – {found['high']:.2%}"
