"""Money put right by hand: one person proposes, another decides; bonuses given; holds released."""

from __future__ import annotations

from sqlalchemy import Connection

from wallet.charges import insufficient
from wallet.command_facts import Adjusted, Declined, Granted, Proposed, Rejected, Voided
from wallet.errors import AdjustmentUnknown, InvalidAmount, InvalidFact, VisitUnknown
from wallet.ledger import MARKETING, Part, counterpart, credit, debit
from wallet.money import fen
from wallet.once import Command, once
from wallet.reversals import can_take
from wallet.settling import void
from wallet.store import adjusting, balances, events, forecourt
from wallet.store.adjusting import Adjustment
from wallet.wording import check_text


def propose(
    connection: Connection, command: Command, account_id: str, part: Part, change_fen: int, reason: str
) -> Proposed | Rejected:
    """A change of a wallet that waits for a second person.

    Raises AccountUnknown, InvalidAmount, InvalidFact.
    """
    if isinstance(change_fen, bool) or not isinstance(change_fen, int) or change_fen == 0:
        raise InvalidAmount("change_fen", repr(change_fen), "must be a whole number of fen, not zero")
    fen(abs(change_fen), least=1, what="change_fen")
    if part not in ("principal", "bonus"):
        raise InvalidFact("part", repr(part), "must be principal or bonus")
    check_text("reason", reason, 200)
    check_text("proposed_by", command.actor, 100)

    def work() -> Proposed | Rejected:
        balances.lock_wallet(connection, account_id)
        adjustment = Adjustment(
            command.new_id(),
            account_id,
            part,
            change_fen,
            reason,
            command.actor,
            command.now,
            None,
            None,
            None,
        )
        adjusting.add_adjustment(connection, adjustment)
        answer = Proposed(adjustment.id, account_id, part, change_fen)
        events.tell_answer(connection, "adjustment_proposed", answer, command.now)
        return answer

    return once(connection, command, work)


def decide(
    connection: Connection, command: Command, adjustment_id: str, *, approve: bool
) -> Adjusted | Declined | Rejected:
    """What a second person decides about an adjustment, once. Raises AdjustmentUnknown."""
    check_text("decided_by", command.actor, 100)

    def work() -> Adjusted | Declined | Rejected:
        proposed = adjusting.find_adjustment(connection, adjustment_id)
        if proposed is None:
            raise AdjustmentUnknown(adjustment_id)
        balances.lock_wallet(connection, proposed.account_id)
        adjustment = adjusting.find_adjustment(connection, adjustment_id) or proposed
        if adjustment.decision is not None:
            return Rejected("already_decided", f"It was {adjustment.decision} by {adjustment.decided_by}.")
        if adjustment.proposed_by == command.actor:
            return Rejected("same_person", "Whoever proposed it may not decide about it; ask somebody else.")
        if approve:
            return _adjust(connection, command, adjustment)
        adjusting.add_decision(
            connection, command.new_id(), adjustment, "declined", command.actor, command.now
        )
        events.tell_answer(connection, "adjustment_declined", Declined(adjustment.id), command.now)
        return Declined(adjustment.id)

    return once(connection, command, work)


def _adjust(connection: Connection, command: Command, adjustment: Adjustment) -> Adjusted | Rejected:
    wallet = balances.lock_wallet(connection, adjustment.account_id)
    part, amount_fen = adjustment.part, abs(adjustment.change_fen)
    name, other = f"adjustment:{adjustment.id}", counterpart(adjustment.part)
    if adjustment.change_fen > 0:
        after, transfer = credit(wallet, name, "adjustment", other, part, amount_fen)
    elif can_take(wallet, part, amount_fen):
        after, transfer = debit(wallet, name, "adjustment", other, part, amount_fen)
    else:
        return insufficient(wallet, amount_fen)
    adjusting.add_decision(connection, command.new_id(), adjustment, "approved", command.actor, command.now)
    balances.save_wallet(connection, wallet, after)
    balances.add_transfers(
        connection, (transfer,), (command.new_id(),), command.now, adjustment_id=adjustment.id
    )
    answer = Adjusted(adjustment.id, wallet.account_id, part, adjustment.change_fen, after.total_fen)
    events.tell_answer(connection, "adjusted", answer, command.now)
    return answer


def give_bonus(
    connection: Connection, command: Command, account_id: str, amount_fen: int, campaign: str
) -> Granted | Rejected:
    """A bonus of a campaign, paid for by marketing. Raises AccountUnknown, InvalidAmount, InvalidFact."""
    fen(amount_fen, least=1)
    check_text("campaign", campaign, 200)

    def work() -> Granted | Rejected:
        wallet = balances.lock_wallet(connection, account_id)
        transfer_id = command.new_id()
        name = f"bonus:{transfer_id}"
        after, transfer = credit(wallet, name, "bonus", MARKETING, "bonus", amount_fen)
        balances.save_wallet(connection, wallet, after)
        balances.add_transfers(connection, (transfer,), (transfer_id,), command.now)
        answer = Granted(transfer_id, account_id, amount_fen, after.total_fen)
        events.tell_answer(connection, "bonus_granted", answer, command.now)
        return answer

    return once(connection, command, work)


def void_visit(connection: Connection, command: Command, visit_id: str, reason: str) -> Voided | Rejected:
    """Releases the hold of an open visit by hand. Raises VisitUnknown."""
    check_text("reason", reason, 200)

    def work() -> Voided | Rejected:
        visit = forecourt.find_visit(connection, visit_id)
        if visit is None:
            raise VisitUnknown(visit_id)
        balances.lock_wallet(connection, visit.account_id)
        current = forecourt.find_visit(connection, visit_id) or visit
        if current.state != "open":
            return Rejected("visit_not_open", f"The visit is {current.state}; there is nothing to release.")
        void(connection, current, "voided_by_operator", command.now, command.now)
        return Voided(visit_id, current.account_id, current.hold_fen)

    return once(connection, command, work)
