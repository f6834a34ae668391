"""The work of reviewers: a queue by due time, items with all that is known, answers, scores, corrections."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from wallet import known_cases, review_actions, review_views
from wallet.command_facts import Planted, Rejected, Reviewed
from wallet.once import Command, write_named
from wallet.review_facts import Correction, Given, KnownCase, QueueRow, ReviewItem, Score
from wallet.rules import Rules
from wallet.store import corrections as correction_rows
from wallet.store import known_cases as case_rows
from wallet.store.database import Store


class Reviewing:
    """Thread-safe. actor: the person, by name; key: names the command, so that a double click counts once."""

    def __init__(self, store: Store, rules: Rules, new_id: Callable[[], str]) -> None:
        self._store = store
        self._rules = rules
        self._new_id = new_id

    def _command(self, scope: str, key: str, actor: str, now: datetime, **body: Any) -> Command:
        return Command(scope, key, body, actor, now, self._new_id)

    # The queue ----------------------------------------------------------------------------------------------

    def queue(
        self,
        reviewer: str,
        now: datetime,
        *,
        kind: str | None = None,
        station: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> list[QueueRow]:
        """Open items for this person, the one that is due first at the top; after: id of the last one shown.

        Known cases that this person has not answered stand among them.
        """
        wanted = review_views.Wanted(reviewer, kind, station, limit, after)
        return self._store.read(lambda tx: review_views.queue(tx, wanted, self._rules, now), snapshot=True)

    def item(self, review_id: str, reviewer: str, now: datetime) -> ReviewItem:
        """Everything about one item that this person may see; raises ReviewUnknown."""
        return self._store.read(
            lambda tx: review_views.item(tx, review_id, reviewer, self._rules, now, self._new_id),
            snapshot=True,
        )

    def waiting(self, now: datetime) -> dict[str, tuple[int, int]]:
        """For each kind how many real items are open, and how many of them are overdue."""
        return self._store.read(lambda tx: review_views.waiting(tx, self._rules, now))

    # Answers ------------------------------------------------------------------------------------------------

    def answer(
        self, review_id: str, given: Given, *, key: str, actor: str, now: datetime
    ) -> Reviewed | Rejected:
        """What this person answers about an item, once.

        Rejected, with nothing moved and the item as it was: already_decided, already_answered,
        action_not_possible, same_plate, not_registered, insufficient_balance, no_evidence, stay_has_paid,
        sighting_has_visit, already_reversed, nothing_left, nothing_captured, and what limits of the customer
        say. Raises ReviewUnknown, InvalidFact, KeyReused.
        """
        given = review_actions.checked(given)
        command = self._command(
            "review", key, actor, now, review_id=review_id, given=given, answered_by=actor
        )

        def decide(connection: Connection) -> Reviewed | Rejected:
            if case_rows.find_case(connection, review_id) is not None:
                return known_cases.answer(connection, command, review_id, given)
            return review_actions.answer(connection, command, review_id, given, self._rules)

        return write_named(self._store, decide, now)

    def reverse_visit(
        self, visit_id: str, given: Given, *, key: str, actor: str, now: datetime
    ) -> Reviewed | Rejected:
        """Gives back what a visit took, once; above an amount it waits for a second person in the queue.

        Rejected: as answer. Raises VisitUnknown, InvalidFact, KeyReused.
        """
        given = review_actions.checked(given)
        command = self._command("review", key, actor, now, visit_id=visit_id, given=given, answered_by=actor)
        return write_named(
            self._store,
            lambda tx: review_actions.reverse_visit(tx, command, visit_id, given, self._rules),
            now,
        )

    # Known cases and scores ---------------------------------------------------------------------------------

    def plant(
        self, sighting_id: str, suggestion: str | None, right: Given, *, key: str, actor: str, now: datetime
    ) -> Planted | Rejected:
        """A known case made of a sighting. Raises SightingUnknown, InvalidFact, KeyReused."""
        right = review_actions.checked(right)
        command = self._command(
            "known-case", key, actor, now, sighting_id=sighting_id, suggestion=suggestion, right=right
        )
        return write_named(
            self._store,
            lambda tx: known_cases.plant(tx, command, sighting_id, suggestion, right, self._rules),
            now,
        )

    def known_cases(self, limit: int = 100) -> list[KnownCase]:
        """Known cases, newest first; not for those who are scored."""
        return self._store.read(lambda tx: case_rows.list_cases(tx, limit))

    def scores(self) -> list[Score]:
        """How each person did on known cases, by name."""
        return self._store.read(review_views.scores)

    # Corrections --------------------------------------------------------------------------------------------

    def corrections(self, limit: int = 1_000, after: str | None = None) -> list[Correction]:
        """What people said of readings, in the order it was said."""
        return self._store.read(lambda tx: correction_rows.list_corrections(tx, limit, after))
