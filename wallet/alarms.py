"""What follows when a car cannot be the registered one: people are told, the plate is stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from wallet import clones, stops
from wallet.facts import Reason
from wallet.limit_facts import Stop
from wallet.objections import Case
from wallet.store import stops as rows

NewId = Callable[[], str]

_SUSPICIOUS = ("impossible_travel", "colour_differs")


def raise_about(case: Case, reasons: Sequence[Reason], amount_fen: int, new_id: NewId) -> None:
    """Tells owner and operators of what one car cannot do, and stops the plate; its wallet is locked.

    A colour that is not the registered one may be a mistake of one camera at one moment: it stops the plate
    when another sure sighting in the time of the rules says the same colour, and is told of at once.
    """
    why = [reason for reason in reasons if reason.code in _SUSPICIOUS]
    if not why or not clones.reads_surely(case):
        return
    sighting, vehicle = case.sighting, case.likely.vehicle
    if any(stop.kind == "clone" for stop in rows.stops_of(case.connection, vehicle.plate, only_open=True)):
        return
    is_certain = any(reason.code == "impossible_travel" for reason in why) or _colour_again(case)
    stop = Stop(
        new_id() if is_certain else "",
        "clone",
        sighting.sighting_id,
        vehicle.plate,
        vehicle.id,
        vehicle.account_id,
        why[0].text[:200],
        "service",
        case.now,
    )
    if is_certain:
        stops.stop_plate(
            case.connection,
            stop,
            None,
            amount_fen,
            "clone_suspected",
            why,
            new_id,
            sighting_id=sighting.sighting_id,
        )
    else:
        stops.tell(case.connection, "clone_suspected", stop, why, 0)


def _colour_again(case: Case) -> bool:
    rules, sighting = case.rules, case.sighting
    since = case.now - timedelta(seconds=rules.travel_window_s)
    return (
        rows.seen_in_colour(
            case.connection,
            case.likely.vehicle.plate,
            sighting.colour,
            since,
            rules.auto_ceiling_ppm,
            sighting.sighting_id,
        )
        > 0
    )
