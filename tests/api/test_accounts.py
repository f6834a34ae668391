"""Accounts, vehicles, wallets, and the keys that make a repeat harmless."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest


def test_an_account_is_opened_shown_and_listed(service: Any) -> None:
    opened = service.operator.post("/v1/accounts", {"name": "王小明", "phone": "13800138000"})
    assert opened.status_code == 201
    account = opened.json()
    assert account["created_at"].endswith("Z")
    assert service.operator.get(f"/v1/accounts/{account['account_id']}").json() == account
    listed = service.operator.get("/v1/accounts", limit=1).json()
    assert listed["accounts"] == [account]
    after = service.operator.get("/v1/accounts", limit=1, after=listed["next_after"]).json()
    assert after == {"accounts": [], "next_after": None}


def test_a_fresh_wallet_is_empty(service: Any) -> None:
    account_id = service.account(fen=0)
    assert service.wallet(account_id) == {
        "account_id": account_id,
        "principal_fen": 0,
        "bonus_fen": 0,
        "held_fen": 0,
        "available_fen": 0,
    }


def test_the_same_key_and_body_get_the_first_answer(shared: Any, refused: Any) -> None:
    first = shared.operator.post("/v1/accounts", {"name": "李四"}, key="k-1")
    again = shared.operator.post("/v1/accounts", {"name": "李四"}, key="k-1")
    assert again.json() == first.json()
    body = refused(shared.operator.post("/v1/accounts", {"name": "张三"}, key="k-1"), 409, "key_reused")
    assert "k-1" in body["detail"]


def test_a_key_sent_twenty_times_at_once_opens_one_account(shared: Any) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(lambda _: shared.operator.post("/v1/accounts", {"name": "并发"}, key="k-20"), range(20))
        )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["account_id"] for answer in answers}) == 1


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_creating_needs_a_key(shared: Any, refused: Any, key: str) -> None:
    headers = {**shared.operator.headers, "Idempotency-Key": key}
    answer = shared.http.post("/v1/accounts", json={"name": "x"}, headers=headers)
    refused(answer, 400, "idempotency_key_required")


def test_creating_without_the_header_is_refused(shared: Any, refused: Any) -> None:
    answer = shared.http.post("/v1/accounts", json={"name": "x"}, headers=shared.operator.headers)
    refused(answer, 400, "idempotency_key_required")


def test_a_plate_bound_twice_is_refused_by_name(service: Any, refused: Any) -> None:
    service.account(plate="粤B12345", fen=0)
    other = service.operator.post("/v1/accounts", {"name": "李四"}).json()["account_id"]
    bound = service.operator.post(f"/v1/accounts/{other}/vehicles", {"plate": "粤B12345", "colour": "blue"})
    body = refused(bound, 409, "plate_already_bound")
    assert body["plate"] == "粤B12345"
    assert "粤B12345" in body["detail"]
    assert service.operator.get(f"/v1/accounts/{other}/vehicles").json() == {"vehicles": []}


def test_an_unbound_plate_can_be_bound_elsewhere(service: Any) -> None:
    service.account(plate="粤B12345", fen=0)
    gone = service.operator.delete("/v1/vehicles/粤B12345")
    assert gone.status_code == 200
    assert gone.json()["unbound_at"]
    service.account(name="李四", plate="粤B12345", fen=0)


def test_a_plate_that_is_none_is_refused(service: Any, refused: Any) -> None:
    account_id = service.account(fen=0)
    bad = service.operator.post(f"/v1/accounts/{account_id}/vehicles", {"plate": "HELLO", "colour": "blue"})
    assert "HELLO" in refused(bad, 422, "invalid_fact")["detail"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/accounts/nobody", "account_unknown"),
        ("/v1/accounts/nobody/wallet", "account_unknown"),
        ("/v1/accounts/nobody/statement", "account_unknown"),
        ("/v1/accounts/nobody/vehicles", "account_unknown"),
        ("/v1/recharge-orders/none", "order_unknown"),
        ("/v1/visits/none", "visit_unknown"),
        ("/v1/reviews/none", "review_unknown"),
    ],
)
def test_what_does_not_exist_is_named(shared: Any, refused: Any, path: str, code: str) -> None:
    refused(shared.operator.get(path), 404, code)


def test_unbinding_an_unknown_plate_is_refused(shared: Any, refused: Any) -> None:
    refused(shared.operator.delete("/v1/vehicles/京Z99999"), 404, "vehicle_unknown")
