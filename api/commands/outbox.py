"""`platepay outbox list` and `platepay outbox requeue`: events that wait, and those that were given up."""

from __future__ import annotations

import json
import sys

from api.commands.database import open_existing_wallet
from api.commands.failures import CommandError
from api.settings import read_settings


def list_events(*, waiting: bool, limit: int, as_json: bool) -> int:
    """Print the events that were given up, or those that wait; one a line."""
    wallet = open_existing_wallet(read_settings())
    try:
        rows = [
            {
                "id": dead.event.id,
                "kind": dead.event.kind,
                "created_at": dead.event.created_at.isoformat(),
                "attempts": dead.attempts,
                "error": dead.error,
                "dead_at": dead.dead_at.isoformat(),
                "body": dead.event.body,
            }
            for dead in wallet.outbox.dead(limit)
        ]
        if waiting:
            rows = [
                {
                    "id": event.id,
                    "kind": event.kind,
                    "created_at": event.created_at.isoformat(),
                    "body": event.body,
                }
                for event in wallet.outbox.pending(limit)
            ]
    finally:
        wallet.close()
    for row in rows:
        if as_json:
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
        else:
            why = "" if waiting else f"  after {row['attempts']} attempts: {row['error']}"
            sys.stdout.write(f"{row['id']}  {row['created_at']}  {row['kind']}{why}\n")
    if not rows and not as_json:
        sys.stdout.write("no event waits\n" if waiting else "no event was given up\n")
    return 0


def requeue(ids: list[int], *, everything: bool) -> int:
    """Have events delivered again that were given up; prints how many."""
    if everything == bool(ids):
        raise CommandError("name the events to requeue by their ids, or give --all")
    wallet = open_existing_wallet(read_settings())
    try:
        count = wallet.outbox.requeue(None if everything else ids)
    finally:
        wallet.close()
    if ids and count < len(set(ids)):
        raise CommandError(f"{count} of {len(set(ids))} events wait again; the others were not given up")
    sys.stdout.write(f"{count} events wait again\n")
    return 0
