"""What a customer may ask for: everything that is kept of an account, and that it be deleted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from api.deps import Parts, TheOperator, ThePurpose, get_operator
from api.errors import NotAllowed
from api.refusals import OPERATOR, refusals
from api.rights import needs
from api.schemas.evidence import ErasuresAnswer, ErasureView, ExportAnswer
from wallet.errors import AccountInUse, AccountUnknown
from wallet.privacy import Erasure

router = APIRouter(
    prefix="/v1", tags=["privacy"], dependencies=[Depends(get_operator), Depends(needs("accounts"))]
)

AccountId = Annotated[str, Path(max_length=64, examples=["019aa6ee-1b07-75aa-b1c0-8a7c35e2f0d3"])]


@router.get("/accounts/{account_id}/export", responses=refusals(*OPERATOR, AccountUnknown))
def export_account(
    account_id: AccountId, services: Parts, operator: TheOperator, purpose: ThePurpose = "customer export"
) -> ExportAnswer:
    """All rows that speak of an account, by table; who asked, and why, is kept."""
    now = services.clock()
    found = services.wallet.privacy.export(account_id)
    services.access.record_read(
        "export", account_id, purpose, operator.operator_name, now, operator.operator_id
    )
    return ExportAnswer(account_id=account_id, made_at=now, tables=dict(found))


@router.delete(
    "/accounts/{account_id}", responses=refusals(*OPERATOR, NotAllowed, AccountUnknown, AccountInUse)
)
def delete_account(account_id: AccountId, services: Parts, operator: TheOperator) -> ErasureView:
    """Unbind, close and empty an account without money; its ledger stays. Again: the first answer."""
    now = services.clock()
    erasure = services.wallet.privacy.delete(account_id, operator.operator_name, now)
    services.forgetting.sweep(now)
    return _view(erasure)


@router.get("/erasures", responses=refusals(*OPERATOR))
def list_erasures(
    services: Parts,
    subject: Annotated[str | None, Query(max_length=64, description="An account's or sighting's id")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> ErasuresAnswer:
    """What was erased, when, by whom and why; newest first."""
    found = services.wallet.privacy.erasures(subject, limit)
    return ErasuresAnswer(erasures=[_view(one) for one in found])


def _view(erasure: Erasure) -> ErasureView:
    return ErasureView(
        erasure_id=erasure.id,
        kind=erasure.kind,
        subject=erasure.subject,
        reason=erasure.reason,
        actor=erasure.actor,
        erased=list(erasure.erased),
        recorded_at=erasure.recorded_at,
    )
