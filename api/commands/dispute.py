"""`platepay dispute`, `verify` and `signing-key`: packs are made here and checked anywhere."""

from __future__ import annotations

import getpass
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from api.commands.failures import CommandError

if TYPE_CHECKING:
    from api.dispute.check import Checked
    from api.settings import Settings


def dispute(visit_id: str, out: Path, purpose: str, *, whole: bool, as_json: bool) -> int:
    """Write the pack of a visit, once it is written down who asked for it and why."""
    from api.commands.database import open_existing_wallet
    from api.dispute.gather import make_pack
    from api.dispute.signing import Signer, key_id
    from api.evidence import EvidenceStore
    from api.keys import pack_seed
    from api.settings import read_settings

    settings = read_settings()
    signer = Signer(pack_seed(_secret(settings)))
    wallet = open_existing_wallet(settings)
    now = datetime.now(UTC)
    try:
        found = wallet.proof.dispute(visit_id)
        wallet.access.record_read("dispute_pack", visit_id, purpose, who_is_here(), now)
        pack = make_pack(found, EvidenceStore(settings.data_dir / "evidence"), signer, now, whole=whole)
    finally:
        wallet.close()
    try:
        out.write_bytes(pack)
    except OSError as error:
        raise CommandError(f"{out}: cannot be written ({error.strerror})") from error
    if as_json:
        told = {"visit_id": visit_id, "file": str(out), "bytes": len(pack), "public_key": signer.public_key}
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(f"{out}: {len(pack)} bytes, signed by key {key_id(signer.public_key)}\n")
    return 0


def verify(path: Path, key: str | None, *, as_json: bool) -> int:
    """Check a pack by its bytes alone; returns 0, or 1 and names what is not as it was signed."""
    from api.dispute.check import check_pack

    try:
        data = path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: cannot be read ({error.strerror})") from error
    checked = check_pack(data, _public_key(key))
    if as_json:
        sys.stdout.write(json.dumps(as_dict(checked), ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(told(path.name, checked))
    return 0 if checked.ok else 1


def as_dict(checked: Checked) -> dict[str, object]:
    """The finding for machines."""
    return {
        "ok": checked.ok,
        "items": checked.items,
        "public_key": checked.key,
        "key_was_given": checked.key_was_given,
        "visit_id": None if checked.header is None else checked.header.get("visit_id"),
        "made_at": None if checked.header is None else checked.header.get("made_at"),
        "problems": [
            {"code": problem.code, "item": problem.item, "says": problem.says} for problem in checked.problems
        ],
    }


def told(name: str, checked: Checked) -> str:
    """The finding for people."""
    from api.dispute.signing import key_id

    if not checked.ok:
        return "".join(f"{problem.code}: {problem.item} {problem.says}\n" for problem in checked.problems)
    text = f"{name}: all {checked.items} items are as they were signed, by key {key_id(checked.key or '')}\n"
    if checked.key_was_given:
        return text
    return text + "whose key that is was not checked: give --key as `platepay signing-key` prints it\n"


def signing_key() -> int:
    """Print the public key that packs are checked with."""
    from api.dispute.signing import Signer
    from api.keys import pack_seed
    from api.settings import read_settings

    sys.stdout.write(Signer(pack_seed(_secret(read_settings()))).public_key + "\n")
    return 0


def who_is_here() -> str:
    """Who runs this command, for the log of looks at evidence."""
    try:
        return f"command line: {getpass.getuser()}"
    except (KeyError, OSError):
        return "command line"


def _secret(settings: Settings) -> bytes:
    from api.keys import find_secret

    secret = find_secret(settings)
    if secret is None:
        raise CommandError(
            "there is no secret to sign with; set PLATEPAY_SECRET or PLATEPAY_DATA_DIR as the service does"
        )
    return secret


def _public_key(given: str | None) -> str | None:
    if given is None:
        return None
    as_file = Path(given)
    try:
        key = as_file.read_text(encoding="utf-8").strip() if as_file.is_file() else given.strip().lower()
    except OSError as error:
        raise CommandError(f"{given}: cannot be read ({error.strerror})") from error
    if len(key) != 64 or not set(key) <= set("0123456789abcdef"):
        raise CommandError(
            "--key is 64 hex characters as `platepay signing-key` prints them, or a file of them"
        )
    return key
