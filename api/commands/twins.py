"""`platepay twins`: registered plates of two accounts that our readers take for each other."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import Progress, TextColumn

from api.commands.database import open_existing_wallet
from api.settings import read_settings


def twins(*, refresh: bool, limit: int, as_json: bool) -> int:
    """Print the pairs, worst first, after looking for them again where asked; returns 0."""
    with closing(open_existing_wallet(read_settings())) as wallet:
        looked_at = None
        if refresh:
            columns = (TextColumn("{task.description}"), TextColumn("{task.completed} plates"))
            with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
                bar = progress.add_task("looking for twins", total=None)
                plates, _ = wallet.twins.refresh(
                    datetime.now(UTC), lambda done: progress.update(bar, completed=done)
                )
                looked_at = plates
        pairs = wallet.twins.pairs(limit)
    if as_json:
        found = [{"plates": [one, other], "alike_ppm": ppm} for one, other, ppm in pairs]
        sys.stdout.write(json.dumps({"looked_at": looked_at, "pairs": found}, ensure_ascii=False) + "\n")
        return 0
    if looked_at is not None:
        sys.stdout.write(f"{looked_at} registered plates looked at\n")
    for one, other, ppm in pairs:
        sys.stdout.write(f"{one} {other}: taken for each other in {ppm} of a million looks\n")
    if not pairs:
        sys.stdout.write("no registered plates of two accounts are twins\n")
    return 0
