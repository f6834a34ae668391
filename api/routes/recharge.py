"""Money coming in: recharge orders, the callbacks of payment channels, and the sandbox payer's phone."""

from __future__ import annotations

import logging
from typing import Annotated

import anyio
import httpx
from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool

from api import answers
from api.channels import SandboxChannel
from api.deps import Body, Parts, TheKey, get_operator, whole_numbers_only
from api.errors import (
    BadCallbackSignature,
    ChannelUnknown,
    FloatForMoney,
    KeyRequired,
    NoncesUnavailable,
    NotAllowed,
    NotJson,
    PayloadTooLarge,
    ReplayedCallback,
    SandboxClosed,
    StaleCallback,
)
from api.refusals import JSON, OPERATOR, refusals
from api.rights import needs
from api.schemas.operators import (
    CallbackAnswer,
    CallbackMessage,
    RechargeAnswer,
    RechargeMessage,
    SandboxPayAnswer,
    SandboxPayMessage,
)
from api.wiring import Services
from wallet.errors import AccountUnknown, InvalidAmount, InvalidFact, KeyReused, OrderUnknown
from wallet.facts import PaymentAlreadyApplied, PaymentApplied, PaymentRefused, PaymentResult, RechargeOrder

log = logging.getLogger(__name__)

router = APIRouter(prefix="/v1", tags=["recharge"])

# A real channel repeats its callback for a day; the sandbox gives up after these waits.
WAITS_S = (0.0, 0.2, 0.6)

OrderId = Annotated[str, Path(max_length=64, examples=["019aa6ef-30aa-7d1b-a3c1-60d1f8b1a7e5"])]


@router.post(
    "/accounts/{account_id}/recharge-orders",
    status_code=201,
    dependencies=[Depends(get_operator), Depends(whole_numbers_only), Depends(needs("accounts"))],
    responses=refusals(
        *OPERATOR,
        NotAllowed,
        KeyRequired,
        ChannelUnknown,
        AccountUnknown,
        KeyReused,
        InvalidAmount,
        InvalidFact,
        *JSON,
    ),
)
def create_order(
    account_id: Annotated[str, Path(max_length=64, examples=["019aa6ee-1b07-75aa-b1c0-8a7c35e2f0d3"])],
    message: RechargeMessage,
    services: Parts,
    key: TheKey,
) -> RechargeAnswer:
    """Ask for money to come in; it is credited when the channel says that it was paid."""
    if message.channel not in services.channels:
        raise ChannelUnknown(channel=message.channel)
    order = services.wallet.create_recharge_order(
        account_id, message.amount_fen, message.channel, key, services.clock()
    )
    return answers.recharge_answer(order)


@router.get(
    "/recharge-orders/{order_id}",
    dependencies=[Depends(get_operator)],
    responses=refusals(*OPERATOR, OrderUnknown),
)
def show_order(order_id: OrderId, services: Parts) -> RechargeAnswer:
    """One recharge order and whether it was paid."""
    return answers.recharge_answer(services.wallet.recharge_order(order_id))


@router.post(
    "/channels/{channel}/callbacks",
    responses=refusals(
        ChannelUnknown,
        BadCallbackSignature,
        StaleCallback,
        ReplayedCallback,
        NoncesUnavailable,
        NotJson,
        FloatForMoney,
        PayloadTooLarge,
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": CallbackMessage.model_json_schema(),
                    "examples": {"paid": {"value": CallbackMessage.model_json_schema()["examples"][0]}},
                }
            },
        }
    },
)
def take_callback(
    channel: Annotated[str, Path(max_length=40, examples=["sandbox"])],
    body: Body,
    request: Request,
    services: Parts,
) -> CallbackAnswer:
    """A payment channel tells that money was paid. Credited once, however often it is told."""
    known = services.channels.get(channel)
    if known is None:
        raise ChannelUnknown(channel=channel)
    now = services.clock()
    payment = known.verify(request.headers, body, now)
    return _callback_answer(services.wallet.channel_paid(payment, now))


@router.post(
    "/channels/sandbox/orders/{order_id}/pay",
    dependencies=[Depends(whole_numbers_only)],
    responses=refusals(SandboxClosed, OrderUnknown, ChannelUnknown, *JSON),
)
async def pay_in_sandbox(
    order_id: OrderId, services: Parts, request: Request, message: SandboxPayMessage | None = None
) -> SandboxPayAnswer:
    """The payer's phone pays an order; the sandbox channel then calls back, signed, as a real one would.

    Only where the sandbox is switched on. Paying again only makes the channel tell it again.
    """
    sandbox = services.channels.get("sandbox")
    if not isinstance(sandbox, SandboxChannel):
        raise SandboxClosed()
    order: RechargeOrder = await run_in_threadpool(services.wallet.recharge_order, order_id)
    if order.channel != sandbox.name:
        raise ChannelUnknown(channel=order.channel)
    amount_fen = message.amount_fen if message and message.amount_fen else order.amount_fen
    payment = CallbackMessage(
        transaction_id=sandbox.transaction_id(order_id, amount_fen),
        order_id=order_id,
        amount_fen=amount_fen,
        paid_at=order.paid_at or services.clock(),
    )
    notified = await _deliver(request, services, sandbox, payment)
    return SandboxPayAnswer(order_id=order_id, transaction_id=payment.transaction_id, notified=notified)


async def _deliver(
    request: Request, services: Services, sandbox: SandboxChannel, payment: CallbackMessage
) -> bool:
    """The channel's own calls, through the whole app as any caller's; repeated until one is acknowledged."""
    transport = httpx.ASGITransport(app=request.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        for wait_s in WAITS_S:
            await anyio.sleep(wait_s)
            body, headers = sandbox.callback(payment, services.clock())
            answer = await client.post("/v1/channels/sandbox/callbacks", content=body, headers=headers)
            if answer.is_success:
                return True
            log.warning("sandbox callback for order %s: %s", payment.order_id, answer.text)
    return False


def _callback_answer(result: PaymentResult) -> CallbackAnswer:
    match result:
        case PaymentApplied():
            return CallbackAnswer(result="applied", reason=None)
        case PaymentAlreadyApplied():
            return CallbackAnswer(result="already_applied", reason=None)
        case PaymentRefused(reason=reason):
            return CallbackAnswer(result="refused", reason=reason)
