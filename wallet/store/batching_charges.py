"""Rows of many charges at once: wallets locked in sorted order, few statements however many there are."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from wallet.batching import Done, Failed, Outcome, Together
from wallet.batching_charges import Answered, ChargeCommand, Decided, Taken, decide_charges
from wallet.command_facts import Charged, Rejected, from_json
from wallet.ledger import Wallet, revenue
from wallet.store.batching_rows import (
    Insert,
    Looked,
    PostgresqlRows,
    Row,
    SqliteRows,
    WalletRow,
)
from wallet.store.charging import charge_many, charge_one, charged, values_of

if TYPE_CHECKING:
    from wallet.store.lines import Lines

_CHARGES = (
    "id", "account_id", "station", "purpose", "amount_fen", "bonus_fen", "principal_fen", "charged_at",
    "idempotency_key", "body_hash", "actor", "code", "said", "part", "wallet_version", "wallet_after_fen",
)  # fmt: skip
_TRANSFERS = (
    "id", "name", "kind", "from_account", "to_account", "amount_fen", "account_id", "wallet_version",
    "wallet_after_fen", "station", "recorded_at", "charge_id",
)  # fmt: skip
_OUTBOX = ("kind", "body", "created_at")


class Rows(Protocol):
    """What differs between the two databases."""

    def look(self, accounts: Sequence[str], keys: Sequence[str]) -> Looked: ...

    def write(
        self, inserts: Sequence[Insert], opened: Sequence[str], wallets: Sequence[WalletRow]
    ) -> None: ...

    def time(self, moment: datetime) -> Any: ...


@dataclass(frozen=True, slots=True)
class ChargeTogether(Together):
    """The use case of one charge, which knows how to do many of its like at once."""

    command: ChargeCommand

    @property
    def lane(self) -> str:
        """Charges of one wallet go one after the other."""
        return self.command.account_id

    def __call__(self, connection: Connection) -> Any:
        """This charge alone."""
        match charge_all(connection, [self.command])[0]:
            case Done(value):
                return value
            case Failed(error):
                raise error

    def shortly(self, way: Lines, others: Sequence[Any]) -> list[Outcome | None]:
        """By a stored function, where a charge is as most of them are."""
        if len(others) == 1:
            done: Sequence[Charged | None] = [charge_one(way, others[0].command)]
        else:
            done = charge_many(way, [other.command for other in others])
        return [None if answer is None else Done(answer) for answer in done]

    def question(self, known: Container[str]) -> Sequence[bytes] | None:
        """As a call of its own, once the account of its station is open."""
        return values_of(self.command) if self.command.station in known else None

    def answered(self, said: bytes) -> Outcome:
        """The charge that call has taken."""
        return Done(charged(self.command, said))

    def together(self, connection: Connection, others: Sequence[Any]) -> list[Outcome]:
        """All of these charges, this one among them."""
        return charge_all(connection, [other.command for other in others])


def charge_all(connection: Connection, commands: Sequence[ChargeCommand]) -> list[Outcome]:
    """What each charge comes to, written inside this transaction.

    Any error means that nothing of it counts: a name that somebody else is just using, for one.
    """
    with _errors_of(connection):
        raw = connection.connection.driver_connection
        rows: Rows = SqliteRows(raw) if connection.dialect.name == "sqlite" else PostgresqlRows(raw)
        accounts = sorted({command.account_id for command in commands})
        looked = rows.look(accounts, sorted({command.key for command in commands}))
        wallets = {row[0]: Wallet(*row) for row in looked.wallets}
        known = {key: Answered(body, _answer(*facts)) for key, body, *facts in looked.charges}
        known |= {key: Answered(body, from_json(answer)) for key, body, answer in looked.before}
        decided = decide_charges(commands, wallets, known)
        if decided.taken:
            _write(rows, decided)
    return [Failed(answer) if isinstance(answer, Exception) else Done(answer) for answer in decided.answers]


@contextmanager
def _errors_of(connection: Connection) -> Iterator[None]:
    """Errors of the driver as SQLAlchemy would tell them: who tries again asks for these."""
    driver = connection.dialect.dbapi
    if driver is None:
        raise RuntimeError("an engine without a driver")
    try:
        yield
    except driver.Error as error:
        if connection.dialect.is_disconnect(error, None, None):
            connection.invalidate(error)
        raise DBAPIError.instance(None, None, error, driver.Error, dialect=connection.dialect) from error


def _answer(code: str | None, said: str, *facts: Any) -> Charged | Rejected:
    """What a charge was answered. facts: the columns of its row that are the answer's, in their order."""
    return Charged(*facts) if code is None else Rejected(code, said)


def _write(rows: Rows, decided: Decided) -> None:
    written = [(one, rows.time(one.command.now)) for one in decided.taken]
    taken = [(one, at, one.answer) for one, at in written if isinstance(one.answer, Charged)]
    rows.write(
        (
            # The charge before its transfers, which name it.
            Insert("charges", _CHARGES, [_charge_row(one, at) for one, at in written]),
            Insert("transfers", _TRANSFERS, [row for one, at, _ in taken for row in _transfer_rows(one, at)]),
            Insert("outbox", _OUTBOX, [("charged", _event(answer), at) for _, at, answer in taken]),
        ),
        sorted({revenue(one.command.station) for one, *_ in taken}),
        [
            (account_id, wallet.principal_fen, wallet.bonus_fen, wallet.version)
            for account_id, wallet in sorted(decided.wallets.items())
        ],
    )


def _event(answer: Charged) -> str:
    """The body of the event."""
    members = {name: getattr(answer, name) for name in answer.__slots__}
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _charge_row(taken: Taken, at: Any) -> Row:
    command = taken.command
    row = (command.charge_id, command.account_id, command.station, command.purpose, command.amount_fen)
    named = (at, command.key, command.body_hash, command.actor)
    answer = taken.answer
    if isinstance(answer, Rejected):
        return *row, 0, 0, *named, answer.code, answer.text, None, None, None
    parts = (answer.bonus_fen, answer.principal_fen)
    if len(taken.transfers) > 1:
        return *row, *parts, *named, None, None, None, None, answer.balance_fen
    part = "bonus" if answer.bonus_fen else "principal"
    (transfer,) = taken.transfers
    return *row, *parts, *named, None, None, part, transfer.wallet_version, answer.balance_fen


def _transfer_rows(taken: Taken, at: Any) -> Iterable[Row]:
    """None for a charge that is its own transfer."""
    if len(taken.transfers) == 1:
        return
    command = taken.command
    for transfer_id, transfer in zip(command.transfer_ids, taken.transfers, strict=True):
        yield (
            transfer_id,
            transfer.name,
            transfer.kind,
            transfer.from_account,
            transfer.to_account,
            transfer.amount_fen,
            transfer.account_id,
            transfer.wallet_version,
            transfer.wallet_after_fen,
            command.station,
            at,
            command.charge_id,
        )
