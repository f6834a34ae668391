"""Known cases: sightings whose answer is known stand in the queue among the others, and score the reviewers.

They are stored apart and move no money, whatever is answered.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from wallet.command_facts import Planted, Rejected, Reviewed
from wallet.errors import InvalidFact, SightingUnknown
from wallet.facts import Match, Reason, Review, SightingFact
from wallet.money import MILLION, share_up
from wallet.once import Command, once
from wallet.review_facts import Action, Given, KnownCase, allowed_for
from wallet.rules import Rules
from wallet.store import forecourt
from wallet.store import known_cases as rows


def plant(
    connection: Connection,
    command: Command,
    sighting_id: str,
    suggestion: str | None,
    right: Given,
    rules: Rules,
) -> Planted | Rejected:
    """Puts a copy of a sighting into the queue as if it were new, with the answer that is right.

    suggestion: the plate that is suggested, which may be a wrong one. Raises SightingUnknown, InvalidFact.
    """
    if right.action == "reverse":
        raise InvalidFact("action", right.action, "of a known case is confirm, correct or reject")
    if right.action == "confirm" and suggestion is None:
        raise InvalidFact("suggestion", "null", "must be given where confirm is right")
    if right.action == "correct" and suggestion is not None and right.plate == suggestion:
        raise InvalidFact("plate", repr(right.plate), "is the suggestion: then confirm is right")

    def work() -> Planted | Rejected:
        sighting = forecourt.find_sighting(connection, sighting_id)
        match = forecourt.find_match(connection, sighting_id)
        if sighting is None or match is None:
            raise SightingUnknown(sighting_id)
        later = command.now - sighting.last_seen_at
        moved = replace(
            sighting, first_seen_at=sighting.first_seen_at + later, last_seen_at=sighting.last_seen_at + later
        )
        known = KnownCase(
            id=command.new_id(),
            sighting=moved,
            match=_as_doubtful(moved, match, suggestion, rules),
            amount_fen=match.amount_fen or rules.hold_fen if suggestion else 0,
            right=right,
            planted_by=command.actor,
            planted_at=command.now,
        )
        rows.add_case(connection, known)
        return Planted(known.id, sighting_id)

    return once(connection, command, work)


def _as_doubtful(sighting: SightingFact, match: Match, suggestion: str | None, rules: Rules) -> Match:
    """The match as it stands in a queue: with this suggestion, and a reason to ask a person."""
    if match.outcome == "review" and match.plate == suggestion:
        return match
    reasons: tuple[Reason, ...] = (Reason("not_readable", "No plate could be read."),)
    if suggestion is not None and suggestion != sighting.text:
        text = f"Read {sighting.text}; the registered {suggestion} is near, but not the same."
        reasons = (Reason("fuzzy_match", text),)
    elif sighting.text is not None:
        wrong_ppm = max(sighting.wrong_ppm, rules.auto_ceiling_ppm)
        text = f"The reading is wrong with {wrong_ppm} ppm."
        reasons = (Reason("unsure_reading", text),)
    amount_fen = match.amount_fen or rules.hold_fen
    loss_fen = share_up(amount_fen + rules.dispute_cost_fen, min(match.wrong_ppm, MILLION))
    return replace(
        match, outcome="review", plate=suggestion, reasons=reasons, visit_id=None, expected_loss_fen=loss_fen
    )


def answer(connection: Connection, command: Command, case_id: str, given: Given) -> Reviewed | Rejected:
    """What one person answers about a known case, once: scored, and nothing moves."""

    def work() -> Reviewed | Rejected:
        known = rows.find_case(connection, case_id)
        if known is None:
            raise RuntimeError(f"known case {case_id} vanished")
        if rows.has_answered(connection, case_id, command.actor) or known.planted_by == command.actor:
            return Rejected("already_answered", "You have answered this item; another person must.")
        if given.action not in allowed(known):
            return Rejected("action_not_possible", f"{given.action} is not possible for this item.")
        if given.action == "correct" and given.plate is not None and given.plate == known.match.plate:
            return Rejected("same_plate", f"{given.plate} is what was suggested: confirm it.")
        is_right = given.action == known.right.action and given.plate == known.right.plate
        rows.add_case_answer(
            connection, command.new_id(), case_id, given, is_right, command.actor, command.now
        )
        return Reviewed(case_id, given.action, "known", plate=known.right.plate, is_right=is_right)

    return once(connection, command, work)


def allowed(known: KnownCase) -> tuple[Action, ...]:
    """What may be answered: the same as about any sighting."""
    return allowed_for("sighting", has_suggestion=known.match.plate is not None, has_paid=False)


def as_review(known: KnownCase) -> Review:
    """The case as an item of the queue."""
    return Review(
        id=known.id,
        kind="sighting",
        state="open",
        subject=known.sighting.sighting_id,
        station=known.sighting.station,
        sighting_id=known.sighting.sighting_id,
        sale_id=None,
        visit_id=None,
        account_id=None,
        amount_fen=known.amount_fen,
        reasons=known.match.reasons,
        created_at=known.planted_at,
        closed_at=None,
    )


def oldest_shown(rules: Rules) -> timedelta:
    """How long a known case stands in the queue."""
    return timedelta(seconds=rules.known_case_s)
