"""What operators do with money: charge, refund, reverse, void, adjust. Each answer is stored."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from api.deps import Parts, TheKey, TheOperator, get_operator, whole_numbers_only
from api.errors import KeyRequired, NotAllowed
from api.refusals import JSON, OPERATOR, refusals
from api.rights import needs
from api.schemas.money import (
    AdjustmentAnswer,
    AdjustmentMessage,
    AdjustmentsAnswer,
    AdjustmentView,
    ChargeAnswer,
    ChargeMessage,
    ChargeView,
    DecisionMessage,
    RefundAnswer,
    RefundMessage,
    RefundView,
    ReversalAnswer,
    ReversalMessage,
    ReversalView,
    VoidAnswer,
)
from api.wiring import Services
from wallet.access import Session
from wallet.command_facts import Answer, Charged, Refunded, Rejected, Reversed, Voided
from wallet.errors import (
    AccountUnknown,
    AdjustmentUnknown,
    ChargeUnknown,
    InvalidAmount,
    InvalidFact,
    KeyReused,
    TransferUnknown,
    VisitUnknown,
)
from wallet.store.adjusting import Adjustment

router = APIRouter(
    prefix="/v1",
    tags=["money"],
    dependencies=[Depends(get_operator), Depends(whole_numbers_only), Depends(needs("money"))],
)

AccountId = Annotated[str, Path(max_length=64, examples=["019aa6ee-1b07-75aa-b1c0-8a7c35e2f0d3"])]
VisitId = Annotated[str, Path(max_length=64, examples=["019aa6f4-88a1-7c3e-9d21-0c8f1e2d3a4b"])]
ChargeId = Annotated[str, Path(max_length=64, examples=["019aa6f6-71c2-7d40-9d0e-3f1b2a6c5d01"])]
LineId = Annotated[str, Path(max_length=64, examples=["019aa6f5-9f7d-7a51-9a52-4a4fd8a7bb02"])]
AdjustmentId = Annotated[str, Path(max_length=64, examples=["019aa6f8-4410-7b3f-b1d2-6e7f8a9b0c03"])]
COMMAND = (*OPERATOR, NotAllowed, KeyRequired, KeyReused, InvalidAmount, InvalidFact, *JSON)


def _by(key: str, operator: Session, services: Services) -> dict[str, Any]:
    return {"key": key, "actor": operator.operator_name, "now": services.clock()}


def _outcome(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Rejected):
        return {"outcome": "rejected", "code": answer.code, "text": answer.text}
    return {"outcome": "done", "code": "done", "text": None}


@router.post("/accounts/{account_id}/charges", responses=refusals(*COMMAND, AccountUnknown))
def charge(
    account_id: AccountId, message: ChargeMessage, services: Parts, key: TheKey, operator: TheOperator
) -> ChargeAnswer:
    """Take money without a hold: a fixed price. Rejected: insufficient_balance."""
    done = services.wallet.commands.charge(
        account_id, message.station, message.amount_fen, message.purpose, **_by(key, operator, services)
    )
    shown = None
    if isinstance(done, Charged):
        shown = ChargeView(
            charge_id=done.charge_id,
            account_id=done.account_id,
            station=done.station,
            amount_fen=done.amount_fen,
            bonus_fen=done.bonus_fen,
            principal_fen=done.principal_fen,
            balance_fen=done.balance_fen,
        )
    return ChargeAnswer(**_outcome(done), charge=shown)


@router.post("/visits/{visit_id}/refunds", responses=refusals(*COMMAND, VisitUnknown))
def refund_visit(
    visit_id: VisitId, message: RefundMessage, services: Parts, key: TheKey, operator: TheOperator
) -> RefundAnswer:
    """Give back a part of what a visit paid. Rejected: nothing_captured, refund_above_captured."""
    return _refund_answer(
        services.wallet.commands.refund(
            message.amount_fen, message.reason, visit_id=visit_id, **_by(key, operator, services)
        )
    )


@router.post("/charges/{charge_id}/refunds", responses=refusals(*COMMAND, ChargeUnknown))
def refund_charge(
    charge_id: ChargeId, message: RefundMessage, services: Parts, key: TheKey, operator: TheOperator
) -> RefundAnswer:
    """Give back a part of a charge. Rejected: refund_above_captured."""
    return _refund_answer(
        services.wallet.commands.refund(
            message.amount_fen, message.reason, charge_id=charge_id, **_by(key, operator, services)
        )
    )


def _refund_answer(done: Refunded | Rejected) -> RefundAnswer:
    if isinstance(done, Rejected):
        return RefundAnswer(**_outcome(done), refund=None)
    shown = RefundView(
        refund_id=done.refund_id,
        account_id=done.account_id,
        visit_id=done.visit_id,
        charge_id=done.charge_id,
        amount_fen=done.amount_fen,
        bonus_fen=done.bonus_fen,
        principal_fen=done.principal_fen,
        refunded_fen=done.refunded_fen,
        debited_fen=done.debited_fen,
        balance_fen=done.balance_fen,
    )
    return RefundAnswer(**_outcome(done), refund=shown)


@router.post("/transfers/{line_id}/reversal", responses=refusals(*COMMAND, TransferUnknown))
def reverse(
    line_id: LineId, message: ReversalMessage, services: Parts, key: TheKey, operator: TheOperator
) -> ReversalAnswer:
    """Take back the whole of what a line of a statement belongs to, once.

    Rejected: already_reversed, nothing_left, insufficient_balance, not_reversible.
    """
    done = services.wallet.commands.reverse(line_id, message.reason, **_by(key, operator, services))
    shown = None
    if isinstance(done, Reversed):
        shown = ReversalView(
            account_id=done.account_id,
            amount_fen=done.amount_fen,
            reversed_ids=list(done.reversed_ids),
            line_ids=list(done.transfer_ids),
            refund_id=done.refund_id,
            balance_fen=done.balance_fen,
        )
    return ReversalAnswer(**_outcome(done), reversal=shown)


@router.post("/visits/{visit_id}/void", responses=refusals(*COMMAND, VisitUnknown))
def void(
    visit_id: VisitId, message: ReversalMessage, services: Parts, key: TheKey, operator: TheOperator
) -> VoidAnswer:
    """Release the hold of an open visit. Rejected: visit_not_open."""
    done = services.wallet.commands.void(visit_id, message.reason, **_by(key, operator, services))
    released_fen = done.released_fen if isinstance(done, Voided) else 0
    return VoidAnswer(**_outcome(done), visit_id=visit_id, released_fen=released_fen)


# Adjustments ------------------------------------------------------------------------------------------------


@router.post("/adjustments", status_code=201, responses=refusals(*COMMAND, AccountUnknown))
def propose(
    message: AdjustmentMessage, services: Parts, key: TheKey, operator: TheOperator
) -> AdjustmentAnswer:
    """Propose a change of a wallet; it waits for a second person."""
    done = services.wallet.commands.propose_adjustment(
        message.account_id,
        message.part,
        message.change_fen,
        message.reason,
        **_by(key, operator, services),
    )
    if isinstance(done, Rejected):
        raise RuntimeError(f"a proposal was rejected: {done.code}")
    shown = adjustment_view(services.wallet.commands.adjustment(done.adjustment_id))
    return AdjustmentAnswer(**_outcome(done), adjustment=shown)


@router.get("/adjustments", responses=refusals(*OPERATOR))
def list_adjustments(
    services: Parts,
    waiting: Annotated[bool, Query(description="Only those that wait for a second person")] = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Annotated[str | None, Query(max_length=64)] = None,
) -> AdjustmentsAnswer:
    """Adjustments, newest first."""
    found = services.wallet.commands.adjustments(
        is_open=True if waiting else None, limit=limit, before=before
    )
    more = found[-1].id if len(found) == limit else None
    return AdjustmentsAnswer(adjustments=[adjustment_view(one) for one in found], next_before=more)


@router.post("/adjustments/{adjustment_id}/decision", responses=refusals(*COMMAND, AdjustmentUnknown))
def decide(
    adjustment_id: AdjustmentId,
    message: DecisionMessage,
    services: Parts,
    key: TheKey,
    operator: TheOperator,
) -> AdjustmentAnswer:
    """Approve or decline an adjustment that somebody else proposed.

    Rejected: same_person, already_decided, insufficient_balance.
    """
    done = services.wallet.commands.decide_adjustment(
        adjustment_id, approve=message.approve, **_by(key, operator, services)
    )
    shown = adjustment_view(services.wallet.commands.adjustment(adjustment_id))
    return AdjustmentAnswer(**_outcome(done), adjustment=shown)


def adjustment_view(adjustment: Adjustment) -> AdjustmentView:
    """An adjustment as operators see it."""
    return AdjustmentView(
        adjustment_id=adjustment.id,
        account_id=adjustment.account_id,
        part=adjustment.part,
        change_fen=adjustment.change_fen,
        reason=adjustment.reason,
        proposed_by=adjustment.proposed_by,
        proposed_at=adjustment.proposed_at,
        decision=adjustment.decision,
        decided_by=adjustment.decided_by,
        decided_at=adjustment.decided_at,
    )
