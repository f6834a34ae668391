"""Fees: what the operator of the service keeps of stations' sales, agreed by terms, booked by settlements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from wallet.command_facts import Rejected
from wallet.errors import AlreadySet, InvalidFact
from wallet.fee_facts import FeeLine, FeeSettlement, FeesSettled, FeeTerms, FeeTermsSet, StationFunds
from wallet.fees import Due, count
from wallet.ledger import Transfer, fee, revenue
from wallet.money import MILLION, fen
from wallet.once import Command, once, write_named
from wallet.store import balances, commands, events
from wallet.store import fees as rows
from wallet.store.database import Store
from wallet.wording import check_name, check_text, check_whole

NIGHTLY = "nightly"
SETTLING = "fee-settlement"
_ATTEMPTS = 20
_BLOCKS_AT_ONCE = 200


class _CountAgain(Exception):  # noqa: N818
    """Terms or settlements came meanwhile, or nothing was counted yet: nothing counts, look again."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """What is due, counted when there were so many terms and settlements (state).

    heads: (number, last block) of the newest settlement of each station that has one.
    """

    state: tuple[int, int]
    to_block: int
    heads: Mapping[str, tuple[int, int]]
    due: Mapping[str, Due]


class Fees:
    """Thread-safe. key: names the command in its kind; actor: who asks.

    No sale knows of fees: a settlement counts what blocks of the chain seal. Raises InvalidAmount and
    InvalidFact where a command makes no sense, KeyReused where its name came before with another body.
    """

    # A station that sold nothing is settled where it is so many blocks behind: they are not counted again.
    idle_blocks = 1_000

    def __init__(self, store: Store, new_id: Callable[[], str]) -> None:
        self._store = store
        self._new_id = new_id

    def set_terms(
        self,
        station: str,
        rate_ppm: int,
        reason: str,
        *,
        fixed_fen: int = 0,
        valid_from: datetime | None = None,
        key: str,
        actor: str,
        now: datetime,
    ) -> FeeTermsSet | Rejected:
        """What each sale of a station costs it, for sales recorded from a moment on (None: from now on).

        0 and 0 end it. Rejected: sales_settled. Raises AlreadySet for the same moment again.
        """
        check_name("station", station)
        check_whole("rate_ppm", rate_ppm, 0, MILLION)
        fen(fixed_fen, what="fixed_fen")
        check_text("reason", reason, 200)
        check_text("actor", actor, 100)
        body = {"rate_ppm": rate_ppm, "fixed_fen": fixed_fen, "valid_from": valid_from, "reason": reason}
        command = Command("fee-terms", key, {"station": station, **body}, actor, now, self._new_id)
        since = now if valid_from is None else valid_from
        terms = FeeTerms(self._new_id(), station, rate_ppm, fixed_fen, since, reason, actor, now)
        return write_named(self._store, lambda tx: once(tx, command, lambda: _agree(tx, terms)), now)

    def settle(
        self,
        *,
        station: str | None = None,
        through: datetime | None = None,
        key: str,
        actor: str,
        now: datetime,
    ) -> FeesSettled | Rejected:
        """Books what is due of a station, or of all (None), of all that was sealed by `through` (None: yet).

        What is due is counted outside of the transaction that books it: no sale waits for the count.
        """
        if station is not None:
            check_name("station", station)
        check_text("actor", actor, 100)
        body: dict[str, Any] = {"station": station, "through": through}
        command = Command(SETTLING, key, body, actor, now, self._new_id)
        counted: _Counted | None = None

        def work(connection: Connection) -> FeesSettled:
            if through is not None and through > now:
                raise InvalidFact("through", through.isoformat(), "must not be later than now")
            if counted is None:
                raise _CountAgain()
            return _book(connection, command, counted)

        for _ in range(_ATTEMPTS):
            try:
                return write_named(self._store, lambda tx: once(tx, command, lambda: work(tx)), now)
            except _CountAgain:
                counted = self._store.read(
                    lambda tx: _count(tx, station, through, self.idle_blocks), snapshot=True
                )
        raise RuntimeError("others settled fees all the while; ask again")

    def settle_nightly(self, now: datetime) -> bool:
        """Settles all stations up to midnight (UTC), once a day; whether anything was asked for."""
        through = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        key = f"{NIGHTLY}:{through.date().isoformat()}"
        if not self._store.read(lambda tx: _is_wanted(tx, key)):
            return False
        self.settle(through=through, key=key, actor=NIGHTLY, now=now)
        return True

    # What was agreed and settled ----------------------------------------------------------------------------

    def terms(self, station: str | None = None) -> list[FeeTerms]:
        """Terms by station; those that come into force last come first."""
        found = self._store.read(lambda tx: rows.list_terms(tx, station))
        return [terms for of_station in found.values() for terms in reversed(of_station)]

    def settlements(
        self, station: str | None = None, limit: int = 100, before: tuple[str, int] | None = None
    ) -> list[FeeSettlement]:
        """Settlements, of each station the newest first; before: (station, number) of the last one shown."""
        return self._store.read(lambda tx: rows.list_settlements(tx, station, limit, before))

    def funds(self, station: str) -> StationFunds:
        """What a station has sold and what of it was kept, from all transfers: it reads the whole ledger."""
        check_name("station", station)
        return StationFunds(station, *self._store.read(lambda tx: rows.balances(tx, station)))


def _is_wanted(connection: Connection, key: str) -> bool:
    terms, _ = rows.state(connection)
    return terms > 0 and commands.find(connection, SETTLING, key) is None


def _agree(connection: Connection, terms: FeeTerms) -> FeeTermsSet | Rejected:
    """Writes terms. A sale that was settled keeps its fee, so none may begin before it was recorded."""
    if terms.valid_from < terms.recorded_at:
        raise InvalidFact("valid_from", terms.valid_from.isoformat(), "must not be in the past")
    rows.take_turn(connection)
    latest_at = rows.latest_debit(connection, terms.station)
    if latest_at is not None and terms.valid_from <= latest_at:
        until = latest_at.isoformat()
        return Rejected("sales_settled", f"Sales up to {until} are settled; terms may begin after that.")
    if not rows.add_terms(connection, terms):
        raise AlreadySet(f"fee of {terms.station}", terms.valid_from.isoformat())
    answer = FeeTermsSet(terms.id, terms.station)
    events.tell_answer(connection, "fee_terms_set", answer, terms.recorded_at)
    return answer


def _count(
    connection: Connection, station: str | None, through: datetime | None, idle_blocks: int
) -> _Counted:
    terms: Mapping[str, Sequence[FeeTerms]] = rows.list_terms(connection, station)
    heads = rows.heads(connection, station)
    to_block = rows.last_block(connection, through)
    after = {name: to for name, (_, to) in heads.items()}
    due: dict[str, Due] = {}
    first = min((after.get(name, 0) for name in terms), default=to_block)
    for begin in range(first, to_block, _BLOCKS_AT_ONCE):
        end = min(begin + _BLOCKS_AT_ONCE, to_block)
        count(due, rows.moves(connection, begin, end, station), terms, after)
    for name in terms:
        if to_block - after.get(name, 0) > idle_blocks:
            due.setdefault(name, Due())
    return _Counted(rows.state(connection), to_block, heads, due)


def _book(connection: Connection, command: Command, counted: _Counted) -> FeesSettled:
    rows.take_turn(connection)
    if rows.state(connection) != counted.state:
        raise _CountAgain()
    booked = [_settle(connection, command, counted, station) for station in sorted(counted.due)]
    return FeesSettled(
        through_block=counted.to_block,
        settlements=len(booked),
        debits=sum(one.debits for one in booked),
        refunds=sum(one.refunds for one in booked),
        base_fen=sum(one.base_fen for one in booked),
        fee_fen=sum(one.fee_fen for one in booked),
    )


def _settle(connection: Connection, command: Command, counted: _Counted, station: str) -> FeeSettlement:
    """One settlement and the transfer that makes it so, where the fee is not zero."""
    number, after_block = counted.heads.get(station, (0, None))
    due, total = counted.due[station], counted.due[station].total()
    settled = FeeSettlement(
        id=command.new_id(),
        station=station,
        number=number + 1,
        after_block=after_block,
        to_block=counted.to_block,
        debits=total.debits,
        refunds=total.refunds,
        debited_fen=total.debited_fen,
        refunded_fen=total.refunded_fen,
        fee_fen=total.fee_fen,
        latest_at=due.latest_at,
        transfer_id=command.new_id() if total.fee_fen else None,
        command_key=command.key,
        actor=command.actor,
        recorded_at=command.now,
        lines=tuple(
            FeeLine(
                command.new_id(),
                terms_id,
                one.debits,
                one.refunds,
                one.debited_fen,
                one.refunded_fen,
                one.fee_fen,
            )
            for terms_id, one in sorted(due.by_terms.items())
        ),
    )
    if settled.transfer_id is not None:
        moved = transfer_of(station, settled.number, settled.fee_fen)
        balances.add_transfers(connection, (moved,), (settled.transfer_id,), command.now, station=station)
    rows.add_settlement(connection, settled)
    told = {
        "station": station,
        "number": settled.number,
        "base_fen": settled.base_fen,
        "fee_fen": settled.fee_fen,
    }
    events.tell(connection, "fees_settled", told, command.now)
    return settled


def transfer_of(station: str, number: int, fee_fen: int) -> Transfer:
    """The transfer of a settlement; a fee below zero comes back to the station."""
    name, both = f"fee:{station}/{number}", (revenue(station), fee(station))
    source, sink = both if fee_fen > 0 else both[::-1]
    return Transfer(name, "fee", source, sink, abs(fee_fen))
