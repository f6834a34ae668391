"""Every command that moves money by its own name; each answer, a rejection too, is given again for ever."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from wallet import adjusting, refunds, reversals
from wallet.batching_charges import checked
from wallet.command_facts import (
    Adjusted,
    Charged,
    Declined,
    Granted,
    Proposed,
    Refunded,
    Rejected,
    Reversed,
    Voided,
)
from wallet.errors import AdjustmentUnknown
from wallet.ledger import Part
from wallet.once import Command, write_named
from wallet.store import adjusting as adjusting_rows
from wallet.store import commands as rows
from wallet.store.adjusting import Adjustment
from wallet.store.batching_charges import ChargeTogether
from wallet.store.commands import KeyConflict
from wallet.store.database import Store


class Commands:
    """Thread-safe. key: names the command in its kind; actor: who asks, an operator or a part of the service.

    Raises InvalidAmount, InvalidFact where a command makes no sense and KeyReused where its name came before
    with another body.
    """

    def __init__(self, store: Store, new_id: Callable[[], str]) -> None:
        self._store = store
        self._new_id = new_id

    def _command(self, scope: str, key: str, actor: str, now: datetime, **body: Any) -> Command:
        return Command(scope, key, body, actor, now, self._new_id)

    def charge(
        self,
        account_id: str,
        station: str,
        amount_fen: int,
        purpose: str,
        *,
        key: str,
        actor: str,
        now: datetime,
    ) -> Charged | Rejected:
        """Takes money without a hold. Rejected: insufficient_balance. Raises AccountUnknown."""
        command = self._command(
            "charge",
            key,
            actor,
            now,
            account_id=account_id,
            station=station,
            amount_fen=amount_fen,
            purpose=purpose,
        )
        charge = ChargeTogether(checked(command, account_id, station, amount_fen, purpose))
        answer: Charged | Rejected = write_named(self._store, charge, now)
        return answer

    def refund(
        self,
        amount_fen: int,
        reason: str,
        *,
        visit_id: str | None = None,
        charge_id: str | None = None,
        key: str,
        actor: str,
        now: datetime,
    ) -> Refunded | Rejected:
        """Gives back a part of what a visit or a charge took, in the proportion of its parts.

        Rejected: nothing_captured, refund_above_captured. Raises VisitUnknown, ChargeUnknown.
        """
        command = self._command(
            "refund",
            key,
            actor,
            now,
            visit_id=visit_id,
            charge_id=charge_id,
            amount_fen=amount_fen,
            reason=reason,
        )
        return write_named(
            self._store,
            lambda tx: refunds.refund(
                tx, command, amount_fen, reason, visit_id=visit_id, charge_id=charge_id
            ),
            now,
        )

    def reverse(
        self, transfer_id: str, reason: str, *, key: str, actor: str, now: datetime
    ) -> Reversed | Rejected:
        """Takes back the whole of what a transfer belongs to, once.

        Rejected: already_reversed, nothing_left, insufficient_balance, not_reversible.
        Raises TransferUnknown.
        """
        command = self._command("reversal", key, actor, now, transfer_id=transfer_id, reason=reason)
        return write_named(self._store, lambda tx: reversals.reverse(tx, command, transfer_id, reason), now)

    def propose_adjustment(
        self,
        account_id: str,
        part: Part,
        change_fen: int,
        reason: str,
        *,
        key: str,
        actor: str,
        now: datetime,
    ) -> Proposed | Rejected:
        """A change of a wallet that waits for a second person. Raises AccountUnknown."""
        command = self._command(
            "adjustment",
            key,
            actor,
            now,
            account_id=account_id,
            part=part,
            change_fen=change_fen,
            reason=reason,
        )
        return write_named(
            self._store,
            lambda tx: adjusting.propose(tx, command, account_id, part, change_fen, reason),
            now,
        )

    def decide_adjustment(
        self, adjustment_id: str, *, approve: bool, key: str, actor: str, now: datetime
    ) -> Adjusted | Declined | Rejected:
        """What a second person decides. Rejected: same_person, already_decided, insufficient_balance.

        Raises AdjustmentUnknown.
        """
        command = self._command(
            "adjustment-decision", key, actor, now, adjustment_id=adjustment_id, approve=approve
        )
        return write_named(
            self._store, lambda tx: adjusting.decide(tx, command, adjustment_id, approve=approve), now
        )

    def give_bonus(
        self, account_id: str, amount_fen: int, campaign: str, *, key: str, actor: str, now: datetime
    ) -> Granted | Rejected:
        """A bonus of a campaign, paid for by marketing. Raises AccountUnknown."""
        command = self._command(
            "bonus", key, actor, now, account_id=account_id, amount_fen=amount_fen, campaign=campaign
        )
        return write_named(
            self._store, lambda tx: adjusting.give_bonus(tx, command, account_id, amount_fen, campaign), now
        )

    def void(self, visit_id: str, reason: str, *, key: str, actor: str, now: datetime) -> Voided | Rejected:
        """Releases the hold of an open visit by hand. Rejected: visit_not_open. Raises VisitUnknown."""
        command = self._command("void", key, actor, now, visit_id=visit_id, reason=reason)
        return write_named(self._store, lambda tx: adjusting.void_visit(tx, command, visit_id, reason), now)

    # What was asked -----------------------------------------------------------------------------------------

    def adjustment(self, adjustment_id: str) -> Adjustment:
        """The adjustment; raises AdjustmentUnknown."""
        found = self._store.read(lambda tx: adjusting_rows.find_adjustment(tx, adjustment_id))
        if found is None:
            raise AdjustmentUnknown(adjustment_id)
        return found

    def adjustments(
        self, *, is_open: bool | None = None, limit: int = 100, before: str | None = None
    ) -> list[Adjustment]:
        """Adjustments, newest first, older than the one with the id `before`; is_open: those that wait."""
        return self._store.read(
            lambda tx: adjusting_rows.list_adjustments(tx, is_open=is_open, limit=limit, before=before)
        )

    def key_conflicts(self, limit: int = 100) -> list[KeyConflict]:
        """Names that came again with another body, the newest first."""
        return self._store.read(lambda tx: rows.list_conflicts(tx, limit))
