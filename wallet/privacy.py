"""What is forgotten, and who may ask for it: strangers after a while, customers when they want.

An erased row keeps its id, its times and its hash, so that sums, audit and chain hold as before. What is
gone is the plate, the characters, the pictures, the name and the phone; `erasures` says when and why.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from wallet.errors import AccountInUse, AccountUnknown
from wallet.facts import SightingFact
from wallet.store import balances, events, exporting, forecourt, people
from wallet.store import erasing as rows
from wallet.store.database import Store
from wallet.store.erasing import Erasure
from wallet.store.exporting import Export
from wallet.store.statements import insert_new
from wallet.tables import plate_index

SIGHTING_PARTS = ("text", "positions", "readings", "decision_inputs", "reasons", "evidence_pictures")
ACCOUNT_PARTS = ("name", "phone", "plates")
BATCH = 200
_REINDEX = 1_000


class Privacy:
    """Thread-safe. plate_key: what plates are hashed with for the index; None: nothing is indexed."""

    def __init__(self, store: Store, new_id: Callable[[], str]) -> None:
        self._store = store
        self._new_id = new_id
        self.plate_key: bytes | None = None

    # The index ----------------------------------------------------------------------------------------------

    def plate_hash(self, plate: str) -> str | None:
        """The keyed hash a plate is found under; None without a key."""
        if self.plate_key is None:
            return None
        return hmac.digest(self.plate_key, plate.encode(), "sha256").hex()

    def index(self, connection: Connection, sighting: SightingFact) -> None:
        """Puts a new sighting into the index, in the transaction that writes it."""
        hashed = None if sighting.text is None else self.plate_hash(sighting.text)
        if hashed is not None:
            insert_new(connection, plate_index, plate_hash=hashed, sighting_id=sighting.sighting_id)

    def is_indexed(self) -> bool:
        """Whether there is an index already."""
        return self._store.read(rows.has_index)

    def reindex(self) -> int:
        """Makes the index anew with the present key; gives how many sightings are in it."""
        if self.plate_key is None:
            return 0
        count = 0
        after: tuple[datetime, str] | None = None
        while found := self._store.read(partial(rows.texts_after, after=after, most=_REINDEX)):
            hashes = [(self.plate_hash(row.text) or "", row.id) for row in found]
            self._store.write(partial(rows.index_again, hashes=hashes))
            count += len(hashes)
            after = (found[-1].recorded_at, found[-1].id)
        return count

    # Strangers ----------------------------------------------------------------------------------------------

    def forget_strangers(self, before: datetime, actor: str, now: datetime, most: int = BATCH) -> int:
        """Erases sightings of nobody's cars decided before this; gives how many. Their pictures go next."""
        return self._store.write(lambda tx: self._forget(tx, before, actor, now, most))

    def _forget(self, connection: Connection, before: datetime, actor: str, now: datetime, most: int) -> int:
        due = rows.strangers_due(connection, before, most)
        if not due:
            return 0
        made = [
            Erasure(self._new_id(), "sighting", one, "retention_over", actor, SIGHTING_PARTS, now)
            for one in due
        ]
        rows.add_erasures(connection, made)
        for one in made:
            rows.empty_sighting(connection, one.subject, one.id, plate=_plate_now(connection, one.subject))
        return len(made)

    def pictures_to_erase(self, most: int = BATCH) -> list[tuple[str, tuple[str, ...]]]:
        """(sighting, pictures to delete now): of erased sightings, without those that another one needs."""
        return self._store.read(lambda tx: rows.pictures_to_erase(tx, most))

    def pictures_are_gone(self, sighting_id: str) -> None:
        """Their files are deleted."""
        self._store.write(lambda tx: rows.pictures_are_gone(tx, sighting_id))

    def needs_picture(self, sha256: str) -> bool:
        """Whether a picture belongs to something that was not erased."""
        return self._store.read(lambda tx: rows.is_needed(tx, sha256))

    def erasures(self, subject: str | None = None, limit: int = 100) -> list[Erasure]:
        """What was erased, newest first."""
        return self._store.read(lambda tx: rows.erasures_of(tx, subject, limit))

    # Customers ----------------------------------------------------------------------------------------------

    def export(self, account_id: str) -> Export:
        """Everything that is kept of a customer, by table; raises AccountUnknown."""
        found = self._store.read(lambda tx: exporting.everything_of(tx, account_id), snapshot=True)
        if found is None:
            raise AccountUnknown(account_id)
        return found

    def delete(self, account_id: str, actor: str, now: datetime) -> Erasure:
        """Unbinds, closes and empties an account; deleting it again gives the first erasure.

        The ledger stays as it is. Raises AccountUnknown, and AccountInUse while there is money in the wallet,
        a stay that is open or a question that a person has not answered.
        """
        return self._store.write(lambda tx: self._delete(tx, account_id, actor, now))

    def _delete(self, connection: Connection, account_id: str, actor: str, now: datetime) -> Erasure:
        known = people.find_account(connection, account_id)
        if known is None:
            raise AccountUnknown(account_id)
        wallet = balances.lock_wallet(connection, account_id)
        if people.is_deleted(connection, account_id):
            return rows.erasures_of(connection, account_id, 1)[0]
        _refuse_in_use(connection, account_id, wallet.principal_fen + wallet.bonus_fen)
        bound = people.vehicles_of(connection, account_id)
        for vehicle in bound:
            if vehicle.unbound_at is None:
                people.unbind(connection, vehicle.id, now)
        plates = sorted({vehicle.plate for vehicle in bound})
        erasure = Erasure(
            self._new_id(), "account", account_id, "asked_by_customer", actor, ACCOUNT_PARTS, now
        )
        rows.add_erasures(connection, [erasure])
        for sighting_id in rows.sightings_of(connection, account_id, plates):
            plate = _plate_now(connection, sighting_id)
            rows.empty_sighting(connection, sighting_id, erasure.id, plate=plate)
        rows.empty_account(connection, account_id, plates, erasure.id)
        rows.forget_events(connection, plates)
        return erasure


def _plate_now(connection: Connection, sighting_id: str) -> str | None:
    """What a decision names once it is emptied."""
    match = forecourt.find_match(connection, sighting_id)
    return None if match is None or match.plate is None else rows.NO_PLATE


def _refuse_in_use(connection: Connection, account_id: str, money_fen: int) -> None:
    if money_fen:
        raise AccountInUse(account_id, "money_left", money_fen)
    if forecourt.list_visits(
        connection, station=None, state="open", plate=None, account_id=account_id, limit=1, before=None
    ):
        raise AccountInUse(account_id, "visit_open", 0)
    if events.has_open_review(connection, account_id):
        raise AccountInUse(account_id, "review_open", 0)
