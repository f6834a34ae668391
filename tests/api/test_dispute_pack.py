"""The pack of a real visit: taken over HTTP and by command, with pictures, readings, decision and ledger."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

import cv2
import numpy as np
import pytest

from api.dispute.check import check_pack
from api.dispute.pictures import only_this_plate
from api.errors import EvidenceUnknown
from api.keys import ledger_key, server_secret

CORNERS = [[300, 220], [400, 220], [400, 252], [300, 252]]
ITEMS = [
    "manifest.json",
    "visit.json",
    "sighting-1.json",
    "decision-1.json",
    "frame-1.jpg",
    "crop-1.jpg",
    "departures.json",
    "sale.json",
    "ledger.json",
    "ledger-blocks.json",
    "reviews.json",
]


def photo(seed=0, width=640, height=360):
    """A picture in which every pixel differs from its neighbours, as JPEG."""
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())


def pixels(jpeg):
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).astype(np.int32)


@pytest.fixture(scope="module")
def visited(shared):
    """A service where one car came, was read five times, fuelled and paid; its visit and its pictures."""
    frame, crop = photo(1), photo(2, 168, 64)
    for content in (frame, crop):
        shared.camera.send("PUT", f"/v1/evidence/{hashlib.sha256(content).hexdigest()}", content)
    shared.account()
    reading = {
        "captured_at": "2026-11-21T08:00:00.320Z",
        "text": "粤B12345",
        "wrong_ppm": 14_000,
        "positions": [[[c, 998_000], ["8", 900]] for c in "粤B12345"],
        "colour": "blue",
        "quality_ppm": 810_000,
        "weight_ppm": 640_000,
        "second": {"text": None, "wrong_ppm": 1_000_000, "positions": []},
    }
    hashes = {"frame": hashlib.sha256(frame).hexdigest(), "crop": hashlib.sha256(crop).hexdigest()}
    seen = shared.arrive(evidence=hashes, readings=[reading] * 5, plate_corners=CORNERS)
    assert shared.pump.post("/v1/sales", shared.sale()).json()["state"] == "captured"
    shared.parts.wallet.proving.seal(ledger_key(server_secret(shared.settings)), everything=True)
    return shared, seen["visit_id"], frame, crop


def pack_of(service, visit_id, headers=None, **params):
    answer = service.http.get(
        f"/v1/visits/{visit_id}/dispute",
        headers={**service.operator.headers, **(headers or {})},
        params=params,
    )
    assert answer.status_code == 200, answer.text
    return answer.content


def read(pack):
    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_pack_holds_everything_in_its_order_and_is_signed_by_the_service(visited):
    service, visit_id, _, crop = visited
    pack = pack_of(service, visit_id)
    key = service.http.get("/v1/signing-key").json()["public_key"]
    assert check_pack(pack, key).problems == ()
    files = read(pack)
    assert list(files) == ITEMS
    assert files["crop-1.jpg"] == crop
    sighting = json.loads(files["sighting-1.json"])
    assert sighting["is_bound"]
    assert hashlib.sha256(sighting["body"].encode()).hexdigest() == sighting["row"]["body_hash"]
    assert [one["text"] for one in sighting["readings"]] == ["粤B12345"] * 5
    assert sighting["readings"][0]["positions"][0] == [["粤", 998_000], ["8", 900]]
    assert (sighting["detector_model_sha256"], sighting["reader_model_sha256"]) == ("a" * 64, "b" * 64)


def test_the_decision_tells_its_sum_its_reasons_and_the_rules_that_made_it(visited):
    service, visit_id, _, _ = visited
    decision = json.loads(read(pack_of(service, visit_id))["decision-1.json"])
    rules = service.parts.wallet.rules
    assert decision["match"]["posterior"]["candidates"][0][0] == "粤B12345"
    assert [reason["code"] for reason in decision["match"]["reasons"]] == ["sure"]
    told = decision["sum"]
    assert (told["dispute_cost_fen"], told["review_cost_fen"]) == (
        rules.dispute_cost_fen,
        rules.review_cost_fen,
    )
    loss, rest = divmod(told["wrong_ppm"] * (told["amount_fen"] + told["dispute_cost_fen"]), 1_000_000)
    assert told["expected_loss_fen"] == loss + (rest > 0)
    assert decision["decided_by"]["rules"]["auto_ceiling_ppm"] == rules.auto_ceiling_ppm
    assert len(decision["decided_by"]["code_sha256"]) == 64


def test_the_sale_and_its_transfers_stand_in_the_pack_with_the_blocks_that_seal_them(visited):
    service, visit_id, _, _ = visited
    files = read(pack_of(service, visit_id))
    sale = json.loads(files["sale.json"])
    transfers = json.loads(files["ledger.json"])["transfers"]
    assert sale["sales"][0]["amount_fen"] == sum(row["amount_fen"] for row in transfers) == 24_531
    sealed = {row_id for block in json.loads(files["ledger-blocks.json"]) for _, row_id, _ in block["seals"]}
    assert {row["id"] for row in transfers} <= sealed


def test_a_transfer_that_was_edited_before_the_pack_was_made_contradicts_its_block(visited):
    """Even whoever holds the key cannot put another amount beside the block that sealed the row."""
    from api.dispute import chain

    service, visit_id, _, _ = visited
    files = read(pack_of(service, visit_id))
    ledger = json.loads(files["ledger.json"])
    ledger["transfers"][0]["amount_fen"] += 1
    files["ledger.json"] = chain.readable(ledger)
    manifest = json.loads(files.pop("manifest.json"))
    items = [
        chain.Item(name, content, line["about"])
        for (name, content), line in zip(files.items(), manifest["items"], strict=True)
    ]
    links = chain.chained(manifest["header"], items)
    manifest |= {"items": [link.as_dict() for link in links], "head": links[-1].hash}
    manifest["signature"] = service.parts.signer.sign(chain.signed_text(manifest["header"], links[-1].hash))
    forged = chain.zip_of([("manifest.json", chain.readable(manifest)), *files.items()])
    [problem] = check_pack(forged).problems
    assert (problem.code, problem.item) == ("changed", "ledger.json")


def test_other_cars_are_made_coarse_unless_the_whole_picture_is_asked_for(visited):
    service, visit_id, frame, _ = visited
    coarse = read(pack_of(service, visit_id))
    about = {line["name"]: line["about"] for line in json.loads(coarse["manifest.json"])["items"]}
    assert about["frame-1.jpg"]["original_sha256"] == hashlib.sha256(frame).hexdigest()
    assert "coarse" in about["frame-1.jpg"]["blurred"]
    assert "blurred" not in about["crop-1.jpg"]
    shown, taken = pixels(coarse["frame-1.jpg"]), pixels(frame)
    plate = (slice(224, 248), slice(304, 396))
    far = (slice(0, 20), slice(0, 200))
    assert np.abs(shown[plate] - taken[plate]).mean() < 12
    assert shown[far].std() < taken[far].std() / 3
    assert read(pack_of(service, visit_id, whole=True))["frame-1.jpg"] == frame


def test_a_camera_that_did_not_say_where_the_plate_is_gets_all_of_its_picture_made_coarse():
    shown = pixels(only_this_plate(photo(3), ()))
    assert shown.std() < pixels(photo(3)).std() / 3


def test_whoever_takes_a_pack_or_looks_at_a_picture_is_kept_with_the_purpose(visited):
    service, visit_id, frame, _ = visited
    pack_of(service, visit_id, {"Platepay-Purpose": "complaint 12"})
    sha256 = hashlib.sha256(frame).hexdigest()
    service.http.get(
        f"/v1/evidence/{sha256}", headers={**service.operator.headers, "Platepay-Purpose": "complaint 12"}
    )
    for subject, kind in ((visit_id, "dispute_pack"), (sha256, "picture")):
        newest = service.operator.get("/v1/evidence-reads", subject=subject).json()["reads"][0]
        assert (newest["actor"], newest["kind"], newest["purpose"]) == ("wang", kind, "complaint 12")


def test_without_a_login_there_is_no_pack_and_an_unknown_visit_is_named(visited, refused):
    service, visit_id, _, _ = visited
    refused(service.http.get(f"/v1/visits/{visit_id}/dispute"), 401, "not_signed_in")
    refused(service.operator.get("/v1/visits/nothing/dispute"), 404, "visit_unknown")
    refused(service.http.get("/v1/evidence-reads"), 401, "not_signed_in")


def test_a_picture_that_is_gone_is_said_to_be(visited, monkeypatch):
    service, visit_id, frame, _ = visited
    gone = hashlib.sha256(frame).hexdigest()
    path = service.settings.data_dir / "evidence" / gone[:2] / f"{gone}.jpg"
    kept = path.read_bytes()
    path.unlink()
    with pytest.raises(EvidenceUnknown):
        service.parts.evidence.get(gone)
    pack = pack_of(service, visit_id)
    path.write_bytes(kept)
    assert "frame-1.missing.txt" in read(pack)
    assert check_pack(pack).ok


def test_the_command_writes_a_pack_that_the_command_verifies(visited, monkeypatch, tmp_path, capsys):
    from api.commands.dispute import dispute, signing_key, verify

    service, visit_id, _, _ = visited
    monkeypatch.setenv("PLATEPAY_DATA_DIR", str(service.settings.data_dir))
    out = tmp_path / "pack.zip"
    assert dispute(visit_id, out, "court", whole=False, as_json=False) == 0
    capsys.readouterr()
    assert signing_key() == 0
    key = capsys.readouterr().out.strip()
    assert verify(out, key, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    assert verify(out, "0" * 64, as_json=False) == 1
    newest = service.parts.access.reads(visit_id)[0]
    assert newest.actor.startswith("command line")
    assert newest.purpose == "court"


def test_a_live_decision_is_weighed_and_made_again_byte_for_byte_and_otherwise_by_surer_readers(
    visited, monkeypatch, tmp_path, capsys
):
    """What the service itself decided: candidates, habits and traffic of then, weighed by the code of now."""
    from api.commands.replay import Asked, replay

    service, _, _, _ = visited
    monkeypatch.setenv("PLATEPAY_DATA_DIR", str(service.settings.data_dir))
    weighed = service.parts.wallet.proof.inputs(service.parts.wallet.matches()[0].sighting.sighting_id)[
        1
    ].weighed
    assert [one[0] for one in weighed.candidates] == ["粤B12345"]
    code = replay(Asked(None, None, None, None, (), False, 1.0, tmp_path / "a", True, True))
    told = json.loads(capsys.readouterr().out)
    assert (code, told["drifted"], told["same"]) == (0, 0, told["decisions"])
    assert told["decisions"] == 1
    replay(Asked(None, None, None, None, (), False, 0.5, tmp_path / "b", False, True))
    other = json.loads(capsys.readouterr().out)
    assert other["decisions_sha256"] != told["decisions_sha256"]
    assert other["drifted"] == 0
