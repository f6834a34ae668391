"""`platepay corrections --export DIR`: what reviewers said of readings, as labelled pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from api.commands.database import open_existing_wallet
from api.commands.failures import CommandError
from api.errors import EvidenceUnknown
from api.evidence import EvidenceStore
from api.settings import read_settings
from wallet.review_facts import Correction

PAGE = 1_000
LINES = "corrections.jsonl"


def export_corrections(folder: Path, *, as_json: bool) -> int:
    """Write one JSON line a correction, and each picture once under its hash; tell of pictures that are gone.

    A plate is personal data: the folder belongs where such data may be.
    """
    settings = read_settings()
    wallet = open_existing_wallet(settings)
    evidence = EvidenceStore(settings.data_dir / "evidence")
    try:
        pictures = folder / "crops"
        pictures.mkdir(parents=True, exist_ok=True)
        samples = missing = 0
        with (folder / LINES).open("w", encoding="utf-8") as lines:
            after: str | None = None
            while found := wallet.reviewing.corrections(PAGE, after):
                for one in found:
                    there = _copy(evidence, one.evidence_crop, pictures)
                    lines.write(json.dumps(_line(one, there), ensure_ascii=False) + "\n")
                    samples += 1
                    missing += not there
                after = found[-1].id
    except OSError as error:
        raise CommandError(f"{folder}: cannot be written ({error.strerror})") from error
    finally:
        wallet.close()
    told: dict[str, Any] = {"folder": str(folder), "samples": samples, "without_picture": missing}
    if as_json:
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(f"{samples} samples in {folder / LINES}; {missing} without a picture\n")
    return 0


def _copy(evidence: EvidenceStore, sha256: str | None, folder: Path) -> bool:
    """Puts the picture there under its hash, where we still have it."""
    if sha256 is None:
        return False
    try:
        content = evidence.get(sha256)
    except EvidenceUnknown:
        return False
    (folder / f"{sha256}.jpg").write_bytes(content)
    return True


def _line(one: Correction, has_picture: bool) -> dict[str, Any]:
    return {
        "id": one.id,
        "crop": f"crops/{one.evidence_crop}.jpg" if has_picture else None,
        "sha256": one.evidence_crop,
        "label": one.label,
        "read": one.text,
        "plate": one.plate,
        "verdict": one.verdict,
        "station": one.station,
        "camera": one.camera,
        "sighting_id": one.sighting_id,
        "decided_at": one.recorded_at.isoformat(),
    }
