"""What stations' sales cost them, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from api.auth import token_hash
from api.keys import ledger_key, server_secret

AGREED = {"rate_ppm": 6_000, "fixed_fen": 10, "reason": "contract 2026-114"}


def _seal(service: Any) -> None:
    service.parts.wallet.proving.seal(ledger_key(server_secret(service.settings)), everything=True)


def test_who_may_move_money_may_settle_and_nobody_else(service: Any, refused: Any) -> None:
    parts = service.parts
    operator = parts.operators.add("zhou", "correct horse battery", "auditor")
    token, now = "the token of an auditor", parts.clock()
    parts.access.start_session(operator.id, token_hash(token), now, now + timedelta(days=1))
    auditor = type(service.operator)(service.http, token)
    refused(auditor.post("/v1/stations/demo/fees", AGREED, key="a"), 403, "not_allowed")
    refused(auditor.post("/v1/fees/settlements", {}, key="b"), 403, "not_allowed")
    assert auditor.get("/v1/stations/demo/fees").json()["terms"] == []


def test_terms_are_set_settled_and_shown(service: Any) -> None:
    account_id = service.account()
    address = "/v1/stations/demo/fees"
    first = service.operator.post(address, AGREED, key="terms")
    assert (first.status_code, first.json()["outcome"]) == (201, "done")
    assert service.operator.post(address, AGREED, key="terms").json() == first.json()
    body = {"station": "demo", "amount_fen": 24_531, "purpose": "wash"}
    charged = service.operator.post(f"/v1/accounts/{account_id}/charges", body, key="c").json()["charge"]
    _seal(service)
    settled = service.operator.post("/v1/fees/settlements", {}, key="night").json()
    assert (settled["settlements"], settled["debits"], settled["fee_fen"]) == (1, 1, 157)
    back = {"amount_fen": 24_531, "reason": "dry"}
    service.operator.post(f"/v1/charges/{charged['charge_id']}/refunds", back, key="r")
    _seal(service)
    assert service.operator.post("/v1/fees/settlements", {}, key="night").json() == settled
    again = service.operator.post("/v1/fees/settlements", {"station": "demo"}, key="noon").json()
    assert (again["refunds"], again["base_fen"], again["fee_fen"]) == (1, -24_531, -157)
    shown = service.operator.get(address, limit=1).json()
    assert [one["set_by"] for one in shown["terms"]] == ["wang"]
    assert [one["settlement_number"] for one in shown["settlements"]] == [2]
    (line,) = shown["settlements"][0]["lines"]
    assert (line["terms_id"], line["fee_fen"]) == (first.json()["terms_id"], -157)
    rest = service.operator.get(address, before=shown["next_before"]).json()
    assert [one["fee_fen"] for one in rest["settlements"]] == [157]
    assert service.parts.wallet.audit().ok


def test_what_makes_no_sense_is_refused(service: Any, refused: Any) -> None:
    address = "/v1/stations/demo/fees"
    refused(
        service.operator.post(address, {**AGREED, "rate_ppm": 1_000_001}, key="a"), 422, "invalid_request"
    )
    refused(service.operator.post(address, {**AGREED, "fixed_fen": 0.5}, key="b"), 422, "float_for_money")
    past = {**AGREED, "valid_from": "2020-01-01T00:00:00Z"}
    refused(service.operator.post(address, past, key="c"), 422, "invalid_fact")
    ahead = {"through": "2099-01-01T00:00:00Z"}
    refused(service.operator.post("/v1/fees/settlements", ahead, key="d"), 422, "invalid_fact")
    future = {**AGREED, "valid_from": "2099-01-01T00:00:00Z"}
    assert service.operator.post(address, future, key="e").status_code == 201
    refused(service.operator.post(address, future, key="f"), 409, "already_set")
    refused(service.operator.post(address, AGREED, key="e"), 409, "key_reused")
    assert [one.key for one in service.parts.wallet.commands.key_conflicts()] == ["e"]
