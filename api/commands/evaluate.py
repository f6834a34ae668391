"""`platepay evaluate`: the recogniser's score on labelled pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from vision.metrics import Report, evaluate_labels

from api.commands.failures import CommandError
from vision.backends import load_detector, load_reader


def evaluate(labels: Path, *, as_json: bool, crops: bool, engine: str) -> None:
    """Score the pictures of one labels.csv and print the report."""
    if not labels.is_file():
        raise CommandError(f"{labels}: no such file; it is the labels.csv of a folder of labelled pictures")
    reader = load_reader(engine)
    detector = None if crops else load_detector(engine)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("reading pictures", total=None)
        report = evaluate_labels(
            labels, detector, reader, lambda done, total: progress.update(bar, completed=done, total=total)
        )
    if as_json:
        sys.stdout.write(json.dumps(report.as_dict(), ensure_ascii=False) + "\n")
    else:
        _print(report)


def _print(report: Report) -> None:
    console = Console()
    console.print_json(json.dumps(report.as_dict(), ensure_ascii=False))
