"""Everything that is known of a visit, as the items of its pack, in the order things happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from api.dispute.chain import FORMAT, MANIFEST, Item, chained, readable, sha256_of, signed_text, zip_of
from api.dispute.contents import BLOCKS, LEDGER
from api.dispute.signing import Signer
from api.errors import EvidenceUnknown
from api.evidence import EvidenceStore
from wallet.fingerprint import canonical
from wallet.proof import Dispute, SightingProof

BLURRED = "everything but this car's front was made coarse"
ALL_BLURRED = "the camera did not say where the plate is: all of the picture was made coarse"


def make_pack(
    dispute: Dispute, evidence: EvidenceStore, signer: Signer, made_at: datetime, *, whole: bool = False
) -> bytes:
    """The pack of a visit as a zip. whole: pictures as they were taken, with what else is in them."""
    items = [*_items(dispute, evidence, whole=whole)]
    header = {
        "format": FORMAT,
        "visit_id": dispute.rows.visit["id"],
        "made_at": made_at.isoformat(timespec="microseconds"),
        "items": len(items),
        "public_key": signer.public_key,
    }
    links = chained(header, items)
    head = links[-1].hash
    manifest = {
        "header": header,
        "items": [link.as_dict() for link in links],
        "head": head,
        "signature": signer.sign(signed_text(header, head)),
    }
    return zip_of([(MANIFEST, readable(manifest)), *((item.name, item.content) for item in items)])


def _items(dispute: Dispute, evidence: EvidenceStore, *, whole: bool) -> Iterator[Item]:
    rows = dispute.rows
    yield Item("visit.json", readable({"visit": rows.visit, "vehicle": rows.vehicle, "holds": rows.holds}))
    for number, sighting in enumerate(dispute.sightings, start=1):
        yield from _of_sighting(number, sighting, evidence, whole=whole)
    yield Item("departures.json", readable(rows.departures))
    yield Item("sale.json", readable({"sales": rows.sales, "captures": rows.captures}))
    yield Item(LEDGER, readable({"transfers": rows.transfers, "refunds": rows.refunds}))
    yield Item(BLOCKS, readable(rows.chain))
    yield Item("reviews.json", readable({"reviews": rows.reviews, "actions": rows.review_actions}))


def _of_sighting(
    number: int, proof: SightingProof, evidence: EvidenceStore, *, whole: bool
) -> Iterator[Item]:
    name = f"sighting-{number}.json"
    yield Item(name, readable(_sighting(proof)))
    yield Item(f"decision-{number}.json", readable(_decision(proof)))
    for kind in ("frame", "crop"):
        sha256 = proof.row[f"evidence_{kind}"]
        about = {"sighting": name, "evidence": kind, "original_sha256": sha256}
        try:
            picture = None if sha256 is None else evidence.get(sha256)
        except EvidenceUnknown:
            picture = None
        if picture is None:
            yield Item(
                f"{kind}-{number}.missing.txt",
                b"This picture is not kept any more.\n",
                {"sighting": name, "missing": kind, "original_sha256": sha256},
            )
        elif whole or kind == "crop":
            yield Item(f"{kind}-{number}.jpg", picture, about)
        else:
            # OpenCV is for a service that makes packs only.
            from api.dispute.pictures import only_this_plate

            corners = proof.kept.corners if proof.kept else ()
            about["blurred"] = BLURRED if corners else ALL_BLURRED
            yield Item(f"{kind}-{number}.jpg", only_this_plate(picture, corners), about)


def _sighting(proof: SightingProof) -> dict[str, Any]:
    """The row, what it was made of, and the very body that its hash is over."""
    kept = proof.kept
    body = canonical(proof.fact)
    return {
        "row": proof.row,
        "body": body,
        "body_sha256": sha256_of(body.encode()),
        "is_bound": sha256_of(body.encode()) == proof.row["body_hash"],
        "readings": [] if kept is None else [_reading(one) for one in kept.readings],
        "readings_sha256": None if kept is None else kept.readings_sha256,
        "detector_model_sha256": proof.row["detector_model"],
        "reader_model_sha256": proof.row["reader_model"],
    }


def _reading(reading: Any) -> dict[str, Any]:
    second = reading.second
    return {
        "captured_at": reading.captured_at.isoformat(),
        "colour": reading.colour,
        "quality_ppm": reading.quality_ppm,
        "weight_ppm": reading.weight_ppm,
        "text": reading.said.text,
        "wrong_ppm": reading.said.wrong_ppm,
        "positions": reading.said.positions,
        "second": None
        if second is None
        else {"text": second.text, "wrong_ppm": second.wrong_ppm, "positions": second.positions},
    }


def _decision(proof: SightingProof) -> dict[str, Any]:
    """The match, the sum behind it, and the code and rules that decided."""
    match, decider = proof.match, proof.decider
    rules: Mapping[str, int] = {} if decider is None else decider.rules
    return {
        "match": match,
        "sum": {
            "how": "expected loss = wrong_ppm x (amount + dispute cost) / 1,000,000, rounded up;"
            " money moves by itself where it does not exceed the review cost and nothing else objects",
            "wrong_ppm": match["wrong_ppm"],
            "amount_fen": match["amount_fen"],
            "dispute_cost_fen": rules.get("dispute_cost_fen"),
            "expected_loss_fen": match["expected_loss_fen"],
            "review_cost_fen": rules.get("review_cost_fen"),
        },
        "inputs": proof.inputs,
        "decided_by": None
        if decider is None
        else {
            "id": decider.id,
            "code_sha256": decider.code_sha256,
            "rules": dict(decider.rules),
            "configuration": dict(decider.configuration),
        },
    }
