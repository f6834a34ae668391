"""`platepay spool list` and `platepay spool requeue`: what a camera has for the service, what was refused."""

from __future__ import annotations

import json
import sys

from api.commands.failures import CommandError
from api.settings import read_settings
from cameras.outbox import Outbox
from cameras.sinks import spool_folder


def list_spool(camera: str, *, limit: int, as_json: bool) -> int:
    """Print what the service refused for good, one message a line, and how many wait."""
    outbox = open_spool(camera)
    try:
        counts, refused = outbox.counts(), outbox.set_aside_messages(limit)
    finally:
        outbox.close()
    rows = [
        {
            "kind": message.kind,
            "id": message.message_id,
            "created_at": message.created_at,
            "attempts": message.attempts,
            "error": message.error,
        }
        for message in refused
    ]
    if as_json:
        told = {"camera": camera, "waiting": counts.waiting, "refused": counts.set_aside, "messages": rows}
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return 0
    since = f", the oldest since {counts.oldest_waiting_at}" if counts.oldest_waiting_at else ""
    sys.stdout.write(f"{camera}: {counts.waiting} wait{since}; {counts.set_aside} refused for good\n")
    for row in rows:
        sys.stdout.write(f"{row['created_at']}  {row['kind']} {row['id']}: {row['error']}\n")
    return 0


def requeue_spool(camera: str) -> int:
    """Have everything sent again that was refused for good, under the same ids; prints how many."""
    outbox = open_spool(camera)
    try:
        count = outbox.restore_set_aside()
    finally:
        outbox.close()
    sys.stdout.write(f"{count} messages of {camera} wait again\n")
    return 0


def open_spool(camera: str) -> Outbox:
    """The camera's spool, which its worker may have open too. Raises CommandError where there is none."""
    folder = read_settings().data_dir
    spools = {path.stem: path for path in spool_folder(folder).glob("*.db")}
    if camera not in spools:
        there = ", ".join(sorted(spools)) or "none"
        raise CommandError(
            f"no camera {camera!r} has spooled anything in {folder} (there: {there}); "
            "set PLATEPAY_DATA_DIR as its worker does"
        )
    return Outbox(spools[camera])
