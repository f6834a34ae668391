"""An answer about a review item: who may give it, whether a second person must agree, what it then does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from wallet.command_facts import Rejected, Reviewed
from wallet.errors import InvalidFact, ReviewUnknown, VisitUnknown
from wallet.facts import Match, Reason, Review, Sale
from wallet.once import Command, once
from wallet.review_ending import Desk, Done, act, remember, sightings_of_sale
from wallet.review_facts import ACTIONS, SALE_KINDS, Action, AnswerFact, EndFact, Given, allowed_for
from wallet.rules import Rules
from wallet.store import debits, events, forecourt, reviewing, selling
from wallet.wording import check_text

LONGEST_PLATE = 12


def checked(given: Given) -> Given:
    """The answer with its plate as plates are written; raises InvalidFact where it contradicts itself."""
    if given.action not in ACTIONS:
        raise InvalidFact("action", repr(given.action), f"must be one of {', '.join(ACTIONS)}")
    if given.reason is not None:
        check_text("reason", given.reason, 200)
    plate = given.plate
    if plate is not None:
        plate = plate.replace("·", "").replace(" ", "").upper()
        check_text("plate", plate, LONGEST_PLATE)
        if given.action not in ("correct", "reverse"):
            raise InvalidFact("plate", repr(plate), "goes with correct and reverse only")
    is_misread = given.is_misread if given.action == "reverse" else True
    return replace(given, plate=plate, is_misread=is_misread)


def answer(
    connection: Connection, command: Command, review_id: str, given: Given, rules: Rules
) -> Reviewed | Rejected:
    """What one person answers about an item, once. Raises ReviewUnknown."""

    def work() -> Reviewed | Rejected:
        return _answer(connection, command, review_id, given, rules)

    return once(connection, command, work)


def reverse_visit(
    connection: Connection, command: Command, visit_id: str, given: Given, rules: Rules
) -> Reviewed | Rejected:
    """A person asks for the money of a visit back; the item that says so is made with the first answer.

    Raises VisitUnknown.
    """

    def work() -> Reviewed | Rejected:
        visit = forecourt.find_visit(connection, visit_id)
        if visit is None:
            raise VisitUnknown(visit_id)
        taken = debits.find_capture(connection, visit_id)
        if taken is None:
            return Rejected("nothing_captured", f"Nothing was taken for visit {visit_id}.")
        before = debits.given_back(connection, taken)
        if before.is_reversed:
            return Rejected("already_reversed", "The money went back before; it goes back once.")
        if before.refunded_fen == taken.amount_fen:
            return Rejected("nothing_left", "All of it was refunded before.")
        item = Review(
            id=command.new_id(),
            kind="wrong_debit",
            state="open",
            subject=visit_id,
            station=visit.station,
            sighting_id=visit.last_sighting_id,
            sale_id=visit.sale_id,
            visit_id=visit_id,
            account_id=visit.account_id,
            amount_fen=taken.amount_fen,
            reasons=(Reason("wrong_debit", given.reason or f"{command.actor} says the debit was wrong."),),
            created_at=command.now,
            closed_at=None,
        )
        events.ask_for_review(connection, item)
        found = reviewing.review_of(connection, "wrong_debit", visit_id)
        if found is None:
            raise RuntimeError(f"the item about visit {visit_id} vanished")
        return _answer(connection, command, found.id, given, rules)

    return once(connection, command, work)


def _answer(
    connection: Connection, command: Command, review_id: str, given: Given, rules: Rules
) -> Reviewed | Rejected:
    desk = take_desk(connection, command, review_id, rules)
    review = desk.review
    if review.state == "closed":
        return _already(connection, review)
    before = reviewing.answers_to(connection, review_id)
    if any(one.answered_by == command.actor for one in before):
        return Rejected("already_answered", "You have answered this item; another person must.")
    if given.action not in allowed(desk):
        return Rejected("action_not_possible", f"{given.action} is not possible for this item.")
    mine = AnswerFact(command.new_id(), review_id, given, command.actor, command.now)
    agreeing = next((one for one in before if one.given.agrees(given)), None)
    if agreeing is None and (before or people_needed(desk) > 1):
        reviewing.add_answer(connection, mine)
        state = "disputed" if before else "waiting"
        return Reviewed(review_id, given.action, state)
    done = act(desk, given)
    if isinstance(done, Rejected):
        return done
    reviewing.add_answer(connection, mine)
    remember(desk, given, done)
    return _close(desk, mine, agreeing, done)


def take_desk(connection: Connection, command: Command, review_id: str, rules: Rules) -> Desk:
    """The item and what is known of it; its pump and the item are locked. Raises ReviewUnknown."""
    review = events.find_review(connection, review_id)
    if review is None:
        raise ReviewUnknown(review_id)
    sale = _sale_of(connection, review)
    sighting = forecourt.find_sighting(connection, review.sighting_id) if review.sighting_id else None
    pump = sale.pump if sale else sighting.pump if sighting else None
    # First the pump, then the item, last a wallet: as sightings and sales do.
    if pump is not None and review.station is not None:
        forecourt.lock_pump(connection, review.station, pump)
    locked = reviewing.lock_review(connection, review_id)
    if locked is None:
        raise ReviewUnknown(review_id)
    match = forecourt.find_match(connection, sighting.sighting_id) if sighting else None
    suggestion = suggestion_for(connection, locked, match, sale, rules)
    return Desk(connection, command, rules, locked, sighting, match, sale, suggestion)


def _sale_of(connection: Connection, review: Review) -> Sale | None:
    if review.kind not in SALE_KINDS or review.sale_id is None or review.station is None:
        return None
    known = selling.find_sale(connection, review.station, review.sale_id)
    return known[0] if known else None


def suggestion_for(
    connection: Connection, review: Review, match: Match | None, sale: Sale | None, rules: Rules
) -> str | None:
    """The plate that a confirmation would mean."""
    if review.kind == "sighting":
        return match.plate if match else None
    if review.kind == "another_car_at_pump" and review.visit_id is not None:
        visit = forecourt.find_visit(connection, review.visit_id)
        return visit.plate if visit else None
    if review.kind == "sale_without_visit" and sale is not None:
        found = sightings_of_sale(connection, sale, rules)
        return next((plate for _, plate, _ in found if plate is not None), None)
    return None


def allowed(desk: Desk) -> tuple[Action, ...]:
    """What may be answered about this item now."""
    paid = debits.find_capture(desk.connection, desk.review.visit_id) if desk.review.visit_id else None
    return allowed_for(
        desk.review.kind, has_suggestion=desk.suggestion is not None, has_paid=paid is not None
    )


def people_needed(desk: Desk) -> int:
    """How many people must agree: two above an amount, whatever of it would be taken."""
    at_stake_fen = [desk.review.amount_fen]
    seen = desk.sighting
    if desk.review.kind == "sighting" and seen is not None and seen.pump is not None:
        since = seen.first_seen_at - timedelta(seconds=desk.rules.longest_stay_s)
        waiting = selling.waiting_sales_at(desk.connection, seen.station, seen.pump)
        asked = selling.sales_for_a_person(desk.connection, seen.station, seen.pump)
        sales = [*waiting, *(sale for sale, _ in asked)]
        at_stake_fen.extend(sale.amount_fen for sale in sales if sale.ended_at >= since)
    return 2 if max(at_stake_fen) > desk.rules.two_person_fen else 1


def _already(connection: Connection, review: Review) -> Rejected:
    end = reviewing.end_of(connection, review.id)
    if end is not None and end.ended_as == "reversed":
        return Rejected("already_reversed", "The money went back before; it goes back once.")
    how = end.ended_as.replace("_", " ") if end else "closed"
    return Rejected("already_decided", f"Somebody has decided about this item: {how}.")


def _close(desk: Desk, mine: AnswerFact, first: AnswerFact | None, done: Done) -> Reviewed:
    connection, now, review = desk.connection, desk.command.now, desk.review
    sale = done.sale
    reviewing.close_review(connection, review.id, now)
    reviewing.add_end(
        connection,
        EndFact(
            review_id=review.id,
            ended_as=done.ended_as,
            answer_id=mine.id,
            first_answer_id=first.id if first else None,
            plate=done.plate,
            account_id=done.account_id,
            visit_id=done.visit_id,
            station=sale.station if sale else None,
            sale_id=sale.sale_id if sale else None,
            refund_id=done.refund_id,
            moved_fen=done.moved_fen,
            recorded_at=now,
        ),
    )
    if sale is not None:
        _close_others(desk, done)
    answer = Reviewed(
        review_id=review.id,
        action=mine.given.action,
        state="closed",
        ended_as=done.ended_as,
        plate=done.plate,
        account_id=done.account_id,
        visit_id=done.visit_id,
        sale_id=sale.sale_id if sale else None,
        refund_id=done.refund_id,
        hold_fen=done.hold_fen,
        moved_fen=done.moved_fen,
    )
    events.tell_answer(connection, "review_closed", answer, now)
    return answer


def _close_others(desk: Desk, done: Done) -> None:
    """The items about a sale that is settled now need nobody any more."""
    sale, connection, now = done.sale, desk.connection, desk.command.now
    if sale is None:
        return
    for other in reviewing.reviews_of_sale(connection, sale.station, sale.sale_id):
        if other.id == desk.review.id or other.kind not in SALE_KINDS:
            continue
        locked = reviewing.lock_review(connection, other.id)
        if locked is None or locked.state != "open":
            continue
        reviewing.close_review(connection, other.id, now)
        end = EndFact(
            review_id=other.id,
            ended_as="settled_elsewhere",
            answer_id=None,
            first_answer_id=None,
            plate=done.plate,
            account_id=done.account_id,
            visit_id=done.visit_id,
            station=sale.station,
            sale_id=sale.sale_id,
            refund_id=None,
            moved_fen=done.moved_fen,
            recorded_at=now,
        )
        reviewing.add_end(connection, end)
