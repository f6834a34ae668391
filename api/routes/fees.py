"""What stations' sales cost them: agreed, settled and looked at by operators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.deps import Parts, TheKey, TheOperator, get_operator, whole_numbers_only
from api.refusals import OPERATOR, refusals
from api.rights import needs
from api.routes.limits import COMMAND, Station
from api.schemas.fees import (
    FeeLineView,
    FeeSettlementView,
    FeeTermsAnswer,
    FeeTermsMessage,
    FeeTermsView,
    SettledAnswer,
    SettleMessage,
    StationFeesAnswer,
)
from wallet.command_facts import Rejected
from wallet.errors import AlreadySet
from wallet.fee_facts import FeeSettlement, FeeTerms

router = APIRouter(
    prefix="/v1",
    tags=["fees"],
    dependencies=[Depends(get_operator), Depends(whole_numbers_only), Depends(needs("money"))],
)


@router.post("/stations/{station}/fees", status_code=201, responses=refusals(*COMMAND, AlreadySet))
def set_fee(
    station: Station, message: FeeTermsMessage, services: Parts, key: TheKey, operator: TheOperator
) -> FeeTermsAnswer:
    """What each sale costs the station from a moment on. Rejected: sales_settled."""
    done = services.wallet.fees.set_terms(
        station,
        message.rate_ppm,
        message.reason,
        fixed_fen=message.fixed_fen,
        valid_from=message.valid_from,
        key=key,
        actor=operator.operator_name,
        now=services.clock(),
    )
    if isinstance(done, Rejected):
        return FeeTermsAnswer(outcome="rejected", code=done.code, text=done.text, station=station)
    return FeeTermsAnswer(outcome="done", code="done", text=None, station=station, terms_id=done.terms_id)


@router.post("/fees/settlements", status_code=201, responses=refusals(*COMMAND))
def settle(message: SettleMessage, services: Parts, key: TheKey, operator: TheOperator) -> SettledAnswer:
    """Book the fees of all that the chain has sealed; the service seals about once a minute."""
    done = services.wallet.fees.settle(
        station=message.station,
        through=message.through,
        key=key,
        actor=operator.operator_name,
        now=services.clock(),
    )
    if isinstance(done, Rejected):
        raise TypeError(f"a settlement was answered with {done!r}")
    return SettledAnswer(
        through_block=done.through_block,
        settlements=done.settlements,
        debits=done.debits,
        refunds=done.refunds,
        base_fen=done.base_fen,
        fee_fen=done.fee_fen,
    )


@router.get("/stations/{station}/fees", responses=refusals(*OPERATOR))
def show_fees(
    station: Station,
    services: Parts,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Annotated[int | None, Query(ge=1, description="Number of the last settlement shown")] = None,
) -> StationFeesAnswer:
    """Every terms the station ever had, and its settlements, newest first."""
    mark = None if before is None else (station, before)
    found = services.wallet.fees.settlements(station, limit, mark)
    return StationFeesAnswer(
        station=station,
        terms=[_terms(one) for one in services.wallet.fees.terms(station)],
        settlements=[_settlement(one) for one in found],
        next_before=found[-1].number if len(found) == limit else None,
    )


def _terms(terms: FeeTerms) -> FeeTermsView:
    return FeeTermsView(
        terms_id=terms.id,
        rate_ppm=terms.rate_ppm,
        fixed_fen=terms.fixed_fen,
        valid_from=terms.valid_from,
        reason=terms.reason,
        set_by=terms.actor,
        set_at=terms.recorded_at,
    )


def _settlement(settled: FeeSettlement) -> FeeSettlementView:
    return FeeSettlementView(
        settlement_id=settled.id,
        settlement_number=settled.number,
        after_block=settled.after_block,
        to_block=settled.to_block,
        debits=settled.debits,
        refunds=settled.refunds,
        base_fen=settled.base_fen,
        fee_fen=settled.fee_fen,
        settled_by=settled.actor,
        settled_at=settled.recorded_at,
        lines=[
            FeeLineView(
                terms_id=line.terms_id,
                debits=line.debits,
                refunds=line.refunds,
                debited_fen=line.debited_fen,
                refunded_fen=line.refunded_fen,
                fee_fen=line.fee_fen,
            )
            for line in settled.lines
        ],
    )
