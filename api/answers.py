"""The wallet's facts as the answers of the HTTP interface."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from api.schemas.devices import Reason, SaleAnswer, SightingAnswer
from api.schemas.log import CameraView, MatchView, ReviewView, SightingView, VisitAnswer
from api.schemas.operators import (
    AccountAnswer,
    RechargeAnswer,
    StatementLineAnswer,
    TwinAnswer,
    VehicleAnswer,
)
from wallet import facts
from wallet.access import CameraStatus
from wallet.twins import Twin


def reasons(given: Iterable[facts.Reason]) -> list[Reason]:
    """Each with its code and its sentence."""
    return [Reason(code=reason.code, text=reason.text) for reason in given]


def sighting_answer(arrival: facts.Arrival) -> SightingAnswer:
    """What a camera is told."""
    return SightingAnswer.model_validate(sighting_fields(arrival))


def sighting_fields(arrival: facts.Arrival) -> dict[str, object]:
    """The same as plain fields, in the order they are sent."""
    match = arrival.match
    return {
        "sighting_id": match.sighting_id,
        "match": {
            "outcome": match.outcome,
            "account_id": match.account_id,
            "plate": match.plate,
            "wrong_ppm": match.wrong_ppm,
            "reasons": _reason_fields(match.reasons),
        },
        "visit_id": arrival.visit.id if arrival.visit else None,
    }


def sale_answer(result: facts.SaleResult) -> SaleAnswer:
    """What a pump is told."""
    return SaleAnswer.model_validate(sale_fields(result))


def sale_fields(result: facts.SaleResult) -> dict[str, object]:
    """The same as plain fields, in the order they are sent."""
    return {
        "sale_id": result.sale_id,
        "state": result.state,
        "visit_id": result.visit_id,
        "captured_fen": result.captured_fen,
        "reasons": _reason_fields(result.reasons),
    }


def _reason_fields(given: Iterable[facts.Reason]) -> list[dict[str, str]]:
    return [{"code": reason.code, "text": reason.text} for reason in given]


def account_answer(account: facts.Account) -> AccountAnswer:
    return AccountAnswer(
        account_id=account.id, name=account.name, phone=account.phone, created_at=account.created_at
    )


def vehicle_answer(vehicle: facts.Vehicle, twins: Iterable[Twin] = ()) -> VehicleAnswer:
    """A binding. twins: the registered plates taken for it; none for one that has ended."""
    return VehicleAnswer(
        vehicle_id=vehicle.id,
        account_id=vehicle.account_id,
        plate=vehicle.plate,
        colour=vehicle.colour,
        bound_at=vehicle.bound_at,
        unbound_at=vehicle.unbound_at,
        twins=[TwinAnswer(plate=twin.vehicle.plate, alike_ppm=twin.alike_ppm) for twin in twins],
    )


def recharge_answer(order: facts.RechargeOrder) -> RechargeAnswer:
    return RechargeAnswer(
        order_id=order.id,
        account_id=order.account_id,
        amount_fen=order.amount_fen,
        channel=order.channel,
        state=order.state,
        created_at=order.created_at,
        paid_at=order.paid_at,
        channel_txn_id=order.channel_txn_id,
    )


def statement_line(line: facts.StatementLine) -> StatementLineAnswer:
    return StatementLineAnswer(
        line_id=line.id,
        kind=line.kind,
        part=line.part,
        amount_fen=line.amount_fen,
        balance_after_fen=line.balance_after_fen,
        recorded_at=line.recorded_at,
        visit_id=line.visit_id,
        station=line.station,
        sale_id=line.sale_id,
        recharge_order_id=line.recharge_order_id,
    )


def visit_answer(visit: facts.Visit) -> VisitAnswer:
    return VisitAnswer(
        visit_id=visit.id,
        station=visit.station,
        pump=visit.pump,
        account_id=visit.account_id,
        plate=visit.plate,
        state=visit.state,
        end=visit.end,
        opened_at=visit.opened_at,
        last_seen_at=visit.last_seen_at,
        left_at=visit.left_at,
        settled_at=visit.settled_at,
        last_sighting_id=visit.last_sighting_id,
        hold_fen=visit.hold_fen,
        captured_fen=visit.captured_fen,
        sale_id=visit.sale_id,
    )


def sighting_view(sighting: facts.SightingFact) -> SightingView:
    return SightingView(
        sighting_id=sighting.sighting_id,
        station=sighting.station,
        camera=sighting.camera,
        pump=sighting.pump,
        first_seen_at=sighting.first_seen_at,
        last_seen_at=sighting.last_seen_at,
        text=sighting.text,
        colour=sighting.colour,
        wrong_ppm=sighting.wrong_ppm,
        looks=sighting.looks,
        positions=[list(position) for position in sighting.positions],
        evidence={"frame": sighting.evidence_frame, "crop": sighting.evidence_crop},
        models={"detector": sighting.detector_model, "reader": sighting.reader_model},
    )


def match_view(row: facts.MatchRow) -> MatchView:
    return MatchView(
        sighting=sighting_view(row.sighting),
        outcome=row.match.outcome,
        account_id=row.match.account_id,
        plate=row.match.plate,
        wrong_ppm=row.match.wrong_ppm,
        reasons=reasons(row.match.reasons),
        decided_at=row.match.decided_at,
        visit_id=row.match.visit_id,
        joined=row.match.joined,
        visit_state=row.visit_state,
        visit_end=row.visit_end,
        hold_fen=row.hold_fen,
        captured_fen=row.captured_fen,
        sale_id=row.sale_id,
    )


def review_view(review: facts.Review) -> ReviewView:
    return ReviewView(
        review_id=review.id,
        kind=review.kind,
        state=review.state,
        station=review.station,
        sighting_id=review.sighting_id,
        sale_id=review.sale_id,
        visit_id=review.visit_id,
        account_id=review.account_id,
        amount_fen=review.amount_fen,
        reasons=reasons(review.reasons),
        created_at=review.created_at,
        closed_at=review.closed_at,
    )


def camera_view(status: CameraStatus, now: datetime) -> CameraView:
    age_s = (
        None if status.last_frame_at is None else max(0, (now - status.last_frame_at) // timedelta(seconds=1))
    )
    return CameraView(
        camera=status.camera,
        station=status.station,
        state=status.state,
        frames=status.frames,
        dropped=status.dropped,
        broken_frames=status.broken_frames,
        reconnects=status.reconnects,
        last_frame_at=status.last_frame_at,
        last_frame_age_s=age_s,
        reported_at=status.reported_at,
        width=status.width,
        height=status.height,
        detail=status.detail,
    )
