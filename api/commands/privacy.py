"""`platepay privacy …`: forget what is due, give a customer what is kept, delete it, find plates again."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from api.commands.dispute import who_is_here
from api.commands.failures import CommandError

if TYPE_CHECKING:
    from api.settings import Settings
    from wallet.service import Wallet


def sweep(*, as_json: bool) -> int:
    """Erase strangers whose time is over, delete their pictures, and pictures that belong to nothing."""
    from api.evidence import EvidenceStore
    from api.forgetting import Forgetting

    now = datetime.now(UTC)
    with _opened() as (settings, wallet):
        evidence = EvidenceStore(settings.data_dir / "evidence")
        retain = timedelta(seconds=settings.retain_strangers_s)
        forgetting = Forgetting(wallet.privacy, evidence, retain, who_is_here())
        done, orphans = forgetting.sweep(now), forgetting.sweep_orphans(now)
    told = {"sightings": done.sightings, "pictures": done.pictures, "orphans": orphans}
    if as_json:
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        sys.stdout.write(
            f"{done.sightings} sightings erased, the pictures of {done.pictures} deleted, "
            f"{orphans} pictures that belonged to nothing\n"
        )
    return 0


def export(account_id: str, out: Path | None, purpose: str) -> int:
    """Print everything that is kept of an account as JSON, or write it."""
    now = datetime.now(UTC)
    with _opened() as (_, wallet):
        found = wallet.privacy.export(account_id)
        wallet.access.record_read("export", account_id, purpose, who_is_here(), now)
    told = {"account_id": account_id, "made_at": now.isoformat(), "tables": found}
    text = json.dumps(told, ensure_ascii=False, indent=1) + "\n"
    if out is None:
        sys.stdout.write(text)
        return 0
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{out}: cannot be written ({error.strerror})") from error
    return 0


def delete(account_id: str, *, as_json: bool) -> int:
    """Delete an account without money: its plates, name, phone and pictures go, its ledger stays."""
    from api.evidence import EvidenceStore
    from api.forgetting import Forgetting

    now = datetime.now(UTC)
    with _opened() as (settings, wallet):
        erasure = wallet.privacy.delete(account_id, who_is_here(), now)
        retain = timedelta(seconds=settings.retain_strangers_s)
        done = Forgetting(wallet.privacy, EvidenceStore(settings.data_dir / "evidence"), retain).sweep(now)
    if as_json:
        told = {"account_id": account_id, "erasure_id": erasure.id, "pictures": done.pictures}
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        sys.stdout.write(f"account {account_id} is deleted: erasure {erasure.id}\n")
    return 0


def reindex() -> int:
    """Hash every plate that was read anew, with the present secret."""
    with _opened() as (_, wallet):
        if wallet.privacy.plate_key is None:
            raise CommandError("there is no secret to hash with; set PLATEPAY_SECRET or PLATEPAY_DATA_DIR")
        sys.stdout.write(f"{wallet.privacy.reindex()} sightings are indexed\n")
    return 0


@contextmanager
def _opened() -> Iterator[tuple[Settings, Wallet]]:
    from api.commands.database import open_existing_wallet
    from api.keys import find_secret, plate_key
    from api.settings import read_settings

    settings = read_settings()
    secret = find_secret(settings)
    wallet = open_existing_wallet(settings)
    wallet.privacy.plate_key = None if secret is None else plate_key(secret)
    try:
        yield settings, wallet
    finally:
        wallet.close()
