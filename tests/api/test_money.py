"""Operators' commands about money over HTTP: outcomes, codes, two people, and the past of a wallet."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.auth import token_hash
from api.keys import ledger_key, server_secret
from wallet.commands import Commands

TEXT = (Path(__file__).parents[2] / "docs" / "money.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def li(shared: Any) -> Any:
    """A second operator, logged in."""
    access, now = shared.parts.access, shared.clock()
    operator = access.add_operator("li", "admin", "no password", now)
    access.start_session(operator.id, token_hash("the token of li"), now, now + timedelta(days=1))
    return type(shared.operator)(shared.http, "the token of li")


@pytest.fixture
def paid(service: Any) -> tuple[Any, str, str]:
    """A service, an account and its visit, which paid 245.31 yuan."""
    account_id = service.account()
    visit_id = service.arrive()["visit_id"]
    assert service.pump.post("/v1/sales", service.sale()).json()["state"] == "captured"
    return service, account_id, visit_id


def test_a_visit_is_refunded_in_parts_and_never_above_what_it_paid(paid: Any) -> None:
    service, account_id, visit_id = paid
    address, body = f"/v1/visits/{visit_id}/refunds", {"amount_fen": 20_000, "reason": "the pump"}
    first = service.operator.post(address, body, key="r1")
    assert (first.status_code, first.json()["outcome"]) == (200, "done")
    assert first.json()["refund"]["refunded_fen"] == 20_000
    again = service.operator.post(address, body, key="r2").json()
    assert (again["outcome"], again["code"], again["refund"]) == ("rejected", "refund_above_captured", None)
    assert service.operator.post(address, body, key="r1").json() == first.json()
    assert service.wallet(account_id)["principal_fen"] == 100_000 - 4_531


def test_the_same_key_with_another_body_is_refused_and_written_down(paid: Any, refused: Any) -> None:
    service, _, visit_id = paid
    address = f"/v1/visits/{visit_id}/refunds"
    service.operator.post(address, {"amount_fen": 1, "reason": "x"}, key="k")
    refused(service.operator.post(address, {"amount_fen": 2, "reason": "x"}, key="k"), 409, "key_reused")
    (conflict,) = service.parts.wallet.commands.key_conflicts()
    assert (conflict.scope, conflict.key) == ("refund", "k")


def test_a_line_of_the_statement_is_reversed_once(paid: Any) -> None:
    service, account_id, _ = paid
    lines = service.operator.get(f"/v1/accounts/{account_id}/statement").json()["lines"]
    address = f"/v1/transfers/{lines[0]['line_id']}/reversal"
    answers = [service.operator.post(address, {"reason": "wrong car"}).json() for _ in range(3)]
    assert [answer["code"] for answer in answers] == ["done", "already_reversed", "already_reversed"]
    assert answers[0]["reversal"]["reversed_ids"] == [lines[0]["line_id"]]
    assert service.wallet(account_id)["principal_fen"] == 100_000


def test_a_charge_takes_money_at_once_and_is_refunded(shared: Any) -> None:
    account_id = shared.account(plate="粤B00001")
    body = {"station": "demo", "amount_fen": 3_000, "purpose": "car wash"}
    charged = shared.operator.post(f"/v1/accounts/{account_id}/charges", body).json()
    assert charged["charge"]["balance_fen"] == 97_000
    address = f"/v1/charges/{charged['charge']['charge_id']}/refunds"
    assert shared.operator.post(address, {"amount_fen": 3_000, "reason": "dry"}).json()["code"] == "done"
    body["amount_fen"] = 100_001
    answer = shared.operator.post(f"/v1/accounts/{account_id}/charges", body).json()
    assert (answer["code"], answer["charge"]) == ("insufficient_balance", None)


def test_a_hold_is_released_by_hand(service: Any) -> None:
    account_id = service.account()
    visit_id = service.arrive()["visit_id"]
    codes = [
        service.operator.post(f"/v1/visits/{visit_id}/void", {"reason": "asked"}).json()["code"]
        for _ in range(2)
    ]
    assert codes == ["done", "visit_not_open"]
    assert service.wallet(account_id)["held_fen"] == 0


def test_an_adjustment_moves_money_when_somebody_else_approves(shared: Any, li: Any) -> None:
    account_id = shared.account(plate="粤B00002")
    body = {"account_id": account_id, "part": "principal", "change_fen": -250, "reason": "counted twice"}
    proposed = shared.operator.post("/v1/adjustments", body)
    assert proposed.status_code == 201
    adjustment_id = proposed.json()["adjustment"]["adjustment_id"]
    waiting = shared.operator.get("/v1/adjustments", waiting=True).json()["adjustments"]
    assert [one["adjustment_id"] for one in waiting] == [adjustment_id]
    address = f"/v1/adjustments/{adjustment_id}/decision"
    own = shared.operator.post(address, {"approve": True}).json()
    assert (own["outcome"], own["code"]) == ("rejected", "same_person")
    approved = li.post(address, {"approve": True}).json()
    assert (approved["adjustment"]["proposed_by"], approved["adjustment"]["decided_by"]) == ("wang", "li")
    assert li.post(address, {"approve": True}).json()["code"] == "already_decided"
    assert shared.wallet(account_id)["principal_fen"] == 99_750
    assert shared.operator.get("/v1/adjustments", waiting=True).json()["adjustments"] == []


def test_the_past_of_a_wallet_is_shown(paid: Any) -> None:
    service, account_id, visit_id = paid
    before = datetime.now(UTC).isoformat()
    service.operator.post(f"/v1/visits/{visit_id}/refunds", {"amount_fen": 531, "reason": "x"})
    address = f"/v1/accounts/{account_id}/statement"
    then = service.operator.get(address, at=before).json()
    assert (then["wallet_at"]["principal_fen"], len(then["lines"])) == (75_469, 2)
    now = service.operator.get(address).json()
    assert (now["wallet_at"], len(now["lines"])) == (None, 3)


@pytest.mark.parametrize(
    ("address", "body", "code"),
    [
        ("/v1/visits/nothing/refunds", {"amount_fen": 1, "reason": "x"}, "visit_unknown"),
        ("/v1/visits/nothing/void", {"reason": "x"}, "visit_unknown"),
        ("/v1/charges/nothing/refunds", {"amount_fen": 1, "reason": "x"}, "charge_unknown"),
        ("/v1/transfers/nothing/reversal", {"reason": "x"}, "transfer_unknown"),
        ("/v1/adjustments/nothing/decision", {"approve": True}, "adjustment_unknown"),
        (
            "/v1/accounts/nothing/charges",
            {"station": "demo", "amount_fen": 1, "purpose": "x"},
            "account_unknown",
        ),
        (
            "/v1/adjustments",
            {"account_id": "nothing", "part": "bonus", "change_fen": 1, "reason": "x"},
            "account_unknown",
        ),
    ],
)
def test_what_is_not_there_is_named(shared: Any, refused: Any, address: str, body: Any, code: str) -> None:
    refused(shared.operator.post(address, body), 404, code)


@pytest.mark.parametrize(
    "body",
    [
        {"amount_fen": 0, "reason": "x"},
        {"amount_fen": -1, "reason": "x"},
        {"amount_fen": 1, "reason": " "},
        {"amount_fen": 1, "reason": "x\n"},
        {"amount_fen": 1},
    ],
)
def test_what_makes_no_sense_is_refused(shared: Any, refused: Any, body: Any) -> None:
    refused(shared.operator.post("/v1/visits/v/refunds", body), 422, "invalid_request")


def test_nobody_moves_money_without_a_session(shared: Any, refused: Any) -> None:
    for address in ("/v1/visits/v/refunds", "/v1/adjustments", "/v1/transfers/t/reversal"):
        refused(shared.http.post(address, json={}), 401, "not_signed_in")


def test_the_running_service_seals_what_happened(service: Any, tools: Any) -> None:
    service.account()
    tools.until(lambda: service.parts.wallet.proving.head())
    key = ledger_key(server_secret(service.settings))
    report = service.parts.wallet.proving.audit(key)
    assert (report.ok, report.signatures_checked, report.head[0]) == (True, True, 1)


# The document -----------------------------------------------------------------------------------------------


def test_every_code_a_command_is_rejected_with_is_in_the_document() -> None:
    promised = "\n".join(method.__doc__ or "" for method in vars(Commands).values() if callable(method))
    codes = set(re.findall(r"[a-z]+(?:_[a-z]+)+", " ".join(re.findall(r"Rejected: ([^.]*)\.", promised))))
    assert len(codes) == 9
    assert {code for code in codes if f"`{code}`" not in TEXT} == set()


def test_every_rejection_in_the_code_is_promised_and_documented() -> None:
    package = Path(__file__).parents[2] / "wallet"
    found = set()
    for path in package.rglob("*.py"):
        found |= set(re.findall(r'Rejected\(\s*"(\w+)"', path.read_text(encoding="utf-8")))
    assert len(found) >= 15
    assert {code for code in found if f"`{code}`" not in TEXT} == set()


def test_the_document_names_the_tables_of_the_chain_and_the_rules_of_the_audit() -> None:
    from wallet.audit import PROOFS
    from wallet.chain import FORMATS
    from wallet.store.outbox import MOST_ATTEMPTS

    assert {table for table in FORMATS[1] if f"`{table}`" not in TEXT} == set()
    assert {proof.rule for proof in PROOFS} | {"I7"} == set(re.findall(r"^\| (I\d) \|", TEXT, re.MULTILINE))
    assert f"at most {MOST_ATTEMPTS} times" in TEXT
