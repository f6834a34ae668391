"""Money coming in through the sandbox channel, by the way a real channel's would take."""

from __future__ import annotations

import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from api.channels import SIGNATURE_HEADER, SandboxChannel
from api.keys import channel_key, server_secret

CALLBACKS = "/v1/channels/sandbox/callbacks"


def channel_of(service: Any) -> SandboxChannel:
    return SandboxChannel(channel_key(server_secret(service.settings), "sandbox"), service.parts.channels)


def callback(order_id: str, amount_fen: Any = 50_000, **changes: Any) -> bytes:
    body = {
        "transaction_id": f"txn-{order_id}",
        "order_id": order_id,
        "amount_fen": amount_fen,
        "paid_at": "2026-11-21T07:02:30Z",
    }
    return json.dumps({**body, **changes}).encode()


def deliver(service: Any, body: bytes, **wrong: Any) -> Any:
    headers = channel_of(service).sign(
        wrong.get("signed_body", body),
        wrong.get("timestamp", int(time.time())),
        wrong.get("nonce", secrets.token_hex(16)),
    )
    headers.update(wrong.get("headers", {}))
    return service.http.post(CALLBACKS, content=body, headers=headers)


@pytest.fixture
def order(shared: Any) -> tuple[str, str]:
    """An account of its own and an open order of 500 yuan."""
    account_id = shared.operator.post("/v1/accounts", {"name": "充值"}).json()["account_id"]
    return account_id, shared.recharge(account_id, 50_000)


def test_a_paid_order_is_credited(shared: Any, order: tuple[str, str]) -> None:
    account_id, order_id = order
    assert shared.operator.get(f"/v1/recharge-orders/{order_id}").json()["state"] == "open"
    paid = shared.http.post(f"/v1/channels/sandbox/orders/{order_id}/pay")
    assert paid.json()["notified"] is True
    shown = shared.operator.get(f"/v1/recharge-orders/{order_id}").json()
    assert shown["state"] == "paid"
    assert shown["channel_txn_id"] == paid.json()["transaction_id"]
    assert shared.wallet(account_id)["principal_fen"] == 50_000


def test_paying_twice_credits_once(shared: Any, order: tuple[str, str]) -> None:
    account_id, order_id = order
    answers = [shared.http.post(f"/v1/channels/sandbox/orders/{order_id}/pay", json={}) for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1
    assert shared.wallet(account_id)["principal_fen"] == 50_000


def test_a_callback_repeated_after_a_lost_answer_is_acknowledged(shared: Any, order: tuple[str, str]) -> None:
    account_id, order_id = order
    first = deliver(shared, callback(order_id))
    again = deliver(shared, callback(order_id))
    assert first.json() == {"result": "applied", "reason": None}
    assert again.json() == {"result": "already_applied", "reason": None}
    assert shared.wallet(account_id)["principal_fen"] == 50_000


def test_twenty_callbacks_at_once_credit_once(shared: Any, order: tuple[str, str]) -> None:
    account_id, order_id = order
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: deliver(shared, callback(order_id)), range(20)))
    results = sorted(answer.json()["result"] for answer in answers)
    assert results == ["already_applied"] * 19 + ["applied"]
    assert shared.wallet(account_id)["principal_fen"] == 50_000


def test_a_wrong_amount_is_not_credited_and_a_person_is_told(shared: Any, order: tuple[str, str]) -> None:
    account_id, order_id = order
    paid = shared.http.post(f"/v1/channels/sandbox/orders/{order_id}/pay", json={"amount_fen": 1})
    assert paid.json()["notified"] is True
    assert shared.wallet(account_id)["principal_fen"] == 0
    assert shared.operator.get(f"/v1/recharge-orders/{order_id}").json()["state"] == "open"
    kinds = [one["kind"] for one in shared.operator.get("/v1/reviews").json()["reviews"]]
    assert "payment_refused" in kinds
    # The right amount still can come.
    assert shared.http.post(f"/v1/channels/sandbox/orders/{order_id}/pay").json()["notified"] is True
    assert shared.wallet(account_id)["principal_fen"] == 50_000


def test_money_for_an_unknown_order_is_refused(shared: Any) -> None:
    answer = deliver(shared, callback("no-such-order"))
    assert answer.json() == {"result": "refused", "reason": "order_unknown"}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"signed_body": b"{}"}, "bad_callback_signature"),
        ({"headers": {SIGNATURE_HEADER: "0" * 64}}, "bad_callback_signature"),
        ({"headers": {SIGNATURE_HEADER: ""}}, "bad_callback_signature"),
        ({"headers": {"Platepay-Channel-Nonce": "f" * 32}}, "bad_callback_signature"),
        ({"timestamp": int(time.time()) - 700}, "stale_callback"),
        ({"timestamp": int(time.time()) + 700}, "stale_callback"),
    ],
)
def test_a_forged_or_late_callback_credits_nothing(
    shared: Any, refused: Any, order: tuple[str, str], wrong: dict[str, Any], code: str
) -> None:
    account_id, order_id = order
    refused(deliver(shared, callback(order_id), **wrong), 401, code)
    assert shared.wallet(account_id)["principal_fen"] == 0


def test_a_replayed_callback_is_refused(shared: Any, refused: Any, order: tuple[str, str]) -> None:
    same = {"nonce": secrets.token_hex(16), "timestamp": int(time.time())}
    body = callback(order[1])
    assert deliver(shared, body, **same).status_code == 200
    refused(deliver(shared, body, **same), 401, "replayed_callback")


def test_a_callback_with_a_float_is_refused(shared: Any, refused: Any, order: tuple[str, str]) -> None:
    refused(deliver(shared, callback(order[1], 500.0)), 422, "float_for_money")
    assert shared.wallet(order[0])["principal_fen"] == 0


def test_a_callback_that_is_no_callback_is_refused(shared: Any, refused: Any) -> None:
    refused(deliver(shared, b"{}"), 400, "not_json")
    refused(deliver(shared, b"no json"), 400, "not_json")


def test_an_unknown_channel_is_refused(shared: Any, refused: Any, order: tuple[str, str]) -> None:
    refused(shared.http.post("/v1/channels/wechat/callbacks", content=b"{}"), 404, "channel_unknown")
    body = {"amount_fen": 100, "channel": "wechat"}
    path = f"/v1/accounts/{order[0]}/recharge-orders"
    refused(shared.operator.post(path, body), 404, "channel_unknown")


def test_without_the_sandbox_nobody_pays_with_play_money(start: Any, refused: Any) -> None:
    service = start(sandbox=False)
    refused(service.http.post("/v1/channels/sandbox/orders/x/pay"), 403, "sandbox_closed")
    refused(service.http.post(CALLBACKS, content=b"{}"), 404, "channel_unknown")


def test_an_order_is_made_once_for_a_key(shared: Any, refused: Any, order: tuple[str, str]) -> None:
    path = f"/v1/accounts/{order[0]}/recharge-orders"
    body = {"amount_fen": 100, "channel": "sandbox"}
    first = shared.operator.post(path, body, key="r-1")
    assert first.status_code == 201
    assert shared.operator.post(path, body, key="r-1").json() == first.json()
    refused(shared.operator.post(path, {**body, "amount_fen": 200}, key="r-1"), 409, "key_reused")


@pytest.mark.parametrize("amount", [0, -5, 10**13, 99.5, "100", None, True])
def test_an_amount_that_is_none_is_refused(shared: Any, order: tuple[str, str], amount: Any) -> None:
    path = f"/v1/accounts/{order[0]}/recharge-orders"
    answer = shared.operator.post(path, {"amount_fen": amount, "channel": "sandbox"})
    assert answer.status_code == 422, answer.text
    assert "amount_fen" in answer.text


def test_more_than_the_largest_recharge_is_refused(shared: Any, refused: Any, order: tuple[str, str]) -> None:
    path = f"/v1/accounts/{order[0]}/recharge-orders"
    refused(shared.operator.post(path, {"amount_fen": 10**9, "channel": "sandbox"}), 422, "invalid_amount")
