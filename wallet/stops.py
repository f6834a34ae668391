"""Plates that are stopped, by their owner or for a clone: nothing moves until a person releases them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from wallet.command_facts import Rejected, Reversed
from wallet.errors import StopUnknown, VehicleUnknown, VisitUnknown
from wallet.facts import Reason, Review, Visit
from wallet.limit_facts import NotMine, PlateReleased, PlateStopped, Stop, StopKind
from wallet.once import Command, once
from wallet.reversals import reverse
from wallet.settling import void
from wallet.store import balances, debits, events, forecourt
from wallet.store import stops as rows
from wallet.wording import check_text

if TYPE_CHECKING:
    from wallet.objections import Case

NewId = Callable[[], str]

_CODES = {"frozen": "frozen", "clone": "clone_marked"}


def objections(case: Case) -> Sequence[Reason]:
    """Why a plate that is stopped pays nothing by itself."""
    if not case.on_record.stops:
        return ()
    found = rows.stops_of(case.connection, case.likely.vehicle.plate, only_open=True)
    return [Reason(_CODES[stop.kind], f"{stop.plate} is stopped: {stop.reason}") for stop in found]


def stop_plate(
    connection: Connection,
    stop: Stop,
    visit: Visit | None,
    amount_fen: int,
    kind: str,
    why: Sequence[Reason],
    new_id: NewId,
    sighting_id: str | None = None,
) -> int:
    """Stops a plate whose wallet is locked, frees its holds, asks a person and tells; gives what was freed.

    Where the same cause has stopped it before, nothing happens. kind: of the review item and the event.
    """
    now = stop.stopped_at
    if not rows.add_stop(connection, stop):
        return 0
    released_fen = 0
    for standing in rows.open_visits_of(connection, stop.vehicle_id):
        void(connection, standing, "plate_stopped", now, now)
        released_fen += standing.hold_fen
    item = Review(
        id=new_id(),
        kind=kind,
        state="open",
        subject=stop.cause,
        station=visit.station if visit else None,
        sighting_id=sighting_id,
        sale_id=None,
        visit_id=visit.id if visit else None,
        account_id=stop.account_id,
        amount_fen=amount_fen,
        reasons=tuple(why),
        created_at=now,
        closed_at=None,
    )
    events.ask_for_review(connection, item)
    tell(connection, kind, stop, why, released_fen)
    return released_fen


def tell(connection: Connection, kind: str, stop: Stop, why: Sequence[Reason], released_fen: int) -> None:
    """The event for owner and operators."""
    events.tell(
        connection,
        kind,
        {
            "stop_id": stop.id,
            "cause": stop.cause,
            "plate": stop.plate,
            "account_id": stop.account_id,
            "reasons": [reason.code for reason in why],
            "stopped": bool(stop.id),
            "released_fen": released_fen,
        },
        stop.stopped_at,
    )


def freeze(connection: Connection, command: Command, plate: str, reason: str) -> PlateStopped | Rejected:
    """Stops a plate by hand. Rejected: already_frozen. Raises VehicleUnknown."""
    check_text("reason", reason, 200)

    def work() -> PlateStopped | Rejected:
        vehicle_id, account_id = _owner_of(connection, plate)
        if any(stop.kind == "frozen" for stop in rows.stops_of(connection, plate, only_open=True)):
            return Rejected("already_frozen", f"{plate} is frozen already.")
        stop_id = command.new_id()
        stop = Stop(
            stop_id, "frozen", stop_id, plate, vehicle_id, account_id, reason, command.actor, command.now
        )
        rows.add_stop(connection, stop)
        released_fen = 0
        for visit in rows.open_visits_of(connection, vehicle_id):
            void(connection, visit, "plate_stopped", command.now, command.now)
            released_fen += visit.hold_fen
        tell(connection, "plate_frozen", stop, (), released_fen)
        return PlateStopped(stop_id, plate, "frozen", released_fen)

    return once(connection, command, work)


def _owner_of(connection: Connection, plate: str) -> tuple[str, str]:
    """(vehicle id, account id) of the plate's newest binding, its wallet locked. Raises VehicleUnknown.

    While we wait for the wallet the plate may pass to another account: then that one's is locked too.
    """
    known: tuple[str, str] | None = None
    while (newest := rows.newest_vehicle(connection, plate)) != known:
        known = newest
        if known is not None:
            balances.lock_wallet(connection, known[1])
    if known is None:
        raise VehicleUnknown(plate)
    return known


def release(connection: Connection, command: Command, stop_id: str, reason: str) -> PlateReleased | Rejected:
    """Ends a stop. Rejected: already_released. Raises StopUnknown."""
    check_text("reason", reason, 200)

    def work() -> PlateReleased | Rejected:
        stop = rows.find_stop(connection, stop_id)
        if stop is None:
            raise StopUnknown(stop_id)
        balances.lock_wallet(connection, stop.account_id)
        if not rows.add_release(connection, stop_id, reason, command.actor, command.now):
            return Rejected("already_released", f"The stop of {stop.plate} was released before.")
        answer = PlateReleased(stop_id, stop.plate)
        events.tell_answer(connection, "plate_released", answer, command.now)
        return answer

    return once(connection, command, work)


def not_me(connection: Connection, command: Command, visit_id: str) -> NotMine | Rejected:
    """The owner says that a visit was not theirs: freezes its plate and gives back what it took, once.

    command: named by the visit, so that it happens once however often it is asked for. Raises VisitUnknown.
    """

    def work() -> NotMine | Rejected:
        visit = forecourt.find_visit(connection, visit_id)
        if visit is None:
            raise VisitUnknown(visit_id)
        balances.lock_wallet(connection, visit.account_id)
        # A sale may have been taken while we waited.
        visit = forecourt.seen_again(connection, visit) or visit
        why = Reason("not_me", f"The owner of {visit.plate} says that this visit was somebody else's.")
        stop = _stop_of(command, visit, "frozen", why.text)
        released_fen = stop_plate(
            connection, stop, visit, visit.captured_fen, "not_me", (why,), command.new_id
        )
        back = _give_back(connection, command, visit)
        return NotMine(
            visit_id=visit.id,
            account_id=visit.account_id,
            plate=visit.plate,
            stop_id=stop.id,
            reversed_fen=back.amount_fen if back else 0,
            released_fen=released_fen,
            refund_id=back.refund_id if back else None,
            balance_fen=balances.lock_wallet(connection, visit.account_id).total_fen,
        )

    return once(connection, command, work)


def _stop_of(command: Command, visit: Visit, kind: StopKind, reason: str) -> Stop:
    return Stop(
        command.new_id(),
        kind,
        visit.id,
        visit.plate,
        visit.vehicle_id,
        visit.account_id,
        reason,
        command.actor,
        command.now,
    )


def _give_back(connection: Connection, command: Command, visit: Visit) -> Reversed | None:
    """What came back of a visit's capture: all that was not given back before; None where that is nothing."""
    taken = debits.find_capture(connection, visit.id)
    if taken is None:
        return None
    sides = debits.transfers_of(connection, taken)
    transfer_id = next(iter(sides.values()))
    body = {"transfer_id": transfer_id, "not_me": visit.id}
    reversal = replace(command, scope="reversal", key=f"not-me:{visit.id}", body=body)
    answer = reverse(connection, reversal, transfer_id, "Not the owner's visit")
    return answer if isinstance(answer, Reversed) else None
