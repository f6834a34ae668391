"""Rows of wallets, holds, captures and transfers: where money is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, String, bindparam, literal_column, select, update

from wallet.errors import AccountUnknown
from wallet.facts import StatementLine
from wallet.ledger import Part, Transfer, Wallet
from wallet.store.statements import Statement, add, insert_new
from wallet.tables import captures, holds, ledger_accounts, ledger_transfers, transfers, wallets


@dataclass(frozen=True, slots=True)
class Hold:
    """Money reserved for one visit."""

    id: str
    visit_id: str
    account_id: str
    amount_fen: int
    state: str
    captured_fen: int


@dataclass(frozen=True, slots=True)
class TransferRow:
    """A transfer of a wallet as it is stored, seen from the wallet: which part it touched, and from where."""

    id: str
    name: str
    kind: str
    amount_fen: int
    account_id: str | None
    part: Part
    is_incoming: bool
    other_account: str
    visit_id: str | None
    charge_id: str | None
    adjustment_id: str | None


_WALLET_QUERY = select(wallets).where(wallets.c.account_id == bindparam("account_id"))
_WALLET = Statement(_WALLET_QUERY)
_LOCKED_WALLET = Statement(_WALLET_QUERY.with_for_update())
_SAVE_WALLET = Statement(
    update(wallets)
    .where(
        wallets.c.account_id == bindparam("its_account"),
        wallets.c.version == bindparam("before_version"),
        wallets.c.held_fen == bindparam("before_held_fen"),
    )
    .values(
        {
            name: bindparam(name, type_=wallets.c[name].type)
            for name in ("principal_fen", "bonus_fen", "held_fen", "version")
        }
    )
)
_HOLD = Statement(select(holds).where(holds.c.visit_id == bindparam("visit_id")))
_CLOSE_HOLD = Statement(
    update(holds)
    .where(holds.c.id == bindparam("its_id"), holds.c.state == literal_column("'live'"))
    .values(
        {name: bindparam(name, type_=holds.c[name].type) for name in ("state", "captured_fen", "closed_at")}
    )
)
_LEDGER_ACCOUNTS = Statement(
    select(ledger_accounts.c.id).where(
        ledger_accounts.c.id.in_([bindparam("one", type_=String), bindparam("other", type_=String)])
    )
)


def lock_wallet(connection: Connection, account_id: str) -> Wallet:
    """The wallet, which nobody else changes until this transaction ends; raises AccountUnknown."""
    return _wallet(connection, _LOCKED_WALLET, account_id)


def read_wallet(connection: Connection, account_id: str) -> Wallet:
    """The wallet as it stands; raises AccountUnknown."""
    return _wallet(connection, _WALLET, account_id)


def _wallet(connection: Connection, query: Statement, account_id: str) -> Wallet:
    row = query.first(connection, account_id=account_id)
    if row is None:
        raise AccountUnknown(account_id)
    return Wallet(row.account_id, row.principal_fen, row.bonus_fen, row.held_fen, row.version)


def save_wallet(connection: Connection, before: Wallet, after: Wallet) -> None:
    """Writes the new balance of a wallet that was locked as `before`."""
    changed = _SAVE_WALLET.run(
        connection,
        its_account=before.account_id,
        before_version=before.version,
        before_held_fen=before.held_fen,
        principal_fen=after.principal_fen,
        bonus_fen=after.bonus_fen,
        held_fen=after.held_fen,
        version=after.version,
    )
    if changed != 1:
        raise RuntimeError(f"wallet {before.account_id} changed while it was locked")


def add_transfers(
    connection: Connection,
    moved: Iterable[Transfer],
    ids: Iterable[str],
    now: datetime,
    *,
    visit_id: str | None = None,
    station: str | None = None,
    sale_id: str | None = None,
    recharge_order_id: str | None = None,
    charge_id: str | None = None,
    refund_id: str | None = None,
    adjustment_id: str | None = None,
) -> None:
    """Writes transfers, one id each, with what caused them."""
    for transfer, transfer_id in zip(moved, ids, strict=False):
        _open_ledger_accounts(connection, transfer.from_account, transfer.to_account)
        add(
            connection,
            transfers,
            id=transfer_id,
            name=transfer.name,
            kind=transfer.kind,
            from_account=transfer.from_account,
            to_account=transfer.to_account,
            amount_fen=transfer.amount_fen,
            account_id=transfer.account_id,
            wallet_version=transfer.wallet_version,
            wallet_after_fen=transfer.wallet_after_fen,
            visit_id=visit_id,
            station=station,
            sale_id=sale_id,
            recharge_order_id=recharge_order_id,
            recorded_at=now,
            charge_id=charge_id,
            refund_id=refund_id,
            adjustment_id=adjustment_id,
            reverses_id=transfer.reverses_id,
        )


def find_transfer(connection: Connection, transfer_id: str) -> TransferRow | None:
    """The transfer with this id."""
    query = select(ledger_transfers).where(ledger_transfers.c.id == transfer_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    incoming = row.to_account.startswith("wallet:")
    side, other = (row.to_account, row.from_account) if incoming else (row.from_account, row.to_account)
    return TransferRow(
        id=row.id,
        name=row.name,
        kind=row.kind,
        amount_fen=row.amount_fen,
        account_id=row.account_id,
        part="bonus" if side.endswith(":bonus") else "principal",
        is_incoming=incoming,
        other_account=other,
        visit_id=row.visit_id,
        charge_id=row.charge_id,
        adjustment_id=row.adjustment_id,
    )


def is_reversed(connection: Connection, transfer_id: str) -> bool:
    """Whether a transfer was taken back."""
    query = select(transfers.c.id).where(transfers.c.reverses_id == transfer_id)
    return connection.execute(query).one_or_none() is not None


def _open_ledger_accounts(connection: Connection, one: str, other: str) -> None:
    """Makes the ledger accounts of a transfer at their first use."""
    known = {row.id for row in _LEDGER_ACCOUNTS.all(connection, one=one, other=other)}
    for name in (one, other):
        if name in known:
            continue
        kind, _, rest = name.partition(":")
        owner = None
        if kind == "wallet":
            owner, _, kind = rest.partition(":")
        insert_new(connection, ledger_accounts, id=name, kind=kind, account_id=owner)


def add_hold(connection: Connection, hold: Hold, now: datetime) -> None:
    """Writes a live hold."""
    add(
        connection,
        holds,
        id=hold.id,
        visit_id=hold.visit_id,
        account_id=hold.account_id,
        amount_fen=hold.amount_fen,
        state="live",
        captured_fen=0,
        placed_at=now,
        closed_at=None,
    )


def hold_of(connection: Connection, visit_id: str) -> Hold:
    """The one hold of a visit."""
    row = _HOLD.one(connection, visit_id=visit_id)
    return Hold(row.id, row.visit_id, row.account_id, row.amount_fen, row.state, row.captured_fen)


def raise_hold(connection: Connection, hold: Hold, amount_fen: int) -> None:
    """Makes a live hold larger."""
    changed = connection.execute(
        update(holds).where(holds.c.id == hold.id, holds.c.state == "live").values(amount_fen=amount_fen)
    ).rowcount
    if changed != 1:
        raise RuntimeError(f"hold {hold.id} is not live")


def close_hold(connection: Connection, hold: Hold, captured_fen: int, now: datetime) -> None:
    """Ends a live hold: captured where something was taken, else voided."""
    state = "captured" if captured_fen else "voided"
    changed = _CLOSE_HOLD.run(
        connection, its_id=hold.id, state=state, captured_fen=captured_fen, closed_at=now
    )
    if changed != 1:
        raise RuntimeError(f"hold {hold.id} is not live")


def capture_expired(connection: Connection, hold: Hold, captured_fen: int) -> None:
    """Writes that an expired hold was captured after all, once; it stays closed since it was released."""
    changed = connection.execute(
        update(holds)
        .where(holds.c.id == hold.id, holds.c.state == "voided")
        .values(state="captured", captured_fen=captured_fen)
    ).rowcount
    if changed != 1:
        raise RuntimeError(f"hold {hold.id} is not voided")


def add_capture(
    connection: Connection,
    hold: Hold,
    station: str,
    sale_id: str,
    bonus_fen: int,
    principal_fen: int,
    now: datetime,
) -> None:
    """Writes the one capture of a visit and of a sale."""
    add(
        connection,
        captures,
        visit_id=hold.visit_id,
        hold_id=hold.id,
        station=station,
        sale_id=sale_id,
        account_id=hold.account_id,
        amount_fen=bonus_fen + principal_fen,
        bonus_fen=bonus_fen,
        principal_fen=principal_fen,
        captured_at=now,
    )


def statement(
    connection: Connection, account_id: str, limit: int, before: str | None, version: int | None = None
) -> list[StatementLine]:
    """Transfers of a wallet, newest first, older than the transfer with the id `before`.

    version: only those up to this number.
    """
    query = select(ledger_transfers).where(ledger_transfers.c.account_id == account_id)
    if version is not None:
        query = query.where(ledger_transfers.c.wallet_version <= version)
    if before is not None:
        mark = (
            select(ledger_transfers.c.wallet_version).where(ledger_transfers.c.id == before).scalar_subquery()
        )
        query = query.where(ledger_transfers.c.wallet_version < mark)
    query = query.order_by(ledger_transfers.c.wallet_version.desc()).limit(limit)
    lines = []
    for row in connection.execute(query):
        incoming = row.to_account.startswith("wallet:")
        side = row.to_account if incoming else row.from_account
        lines.append(
            StatementLine(
                id=row.id,
                kind=row.kind,
                part="bonus" if side.endswith(":bonus") else "principal",
                amount_fen=row.amount_fen if incoming else -row.amount_fen,
                balance_after_fen=row.wallet_after_fen,
                recorded_at=row.recorded_at,
                name=row.name,
                visit_id=row.visit_id,
                station=row.station,
                sale_id=row.sale_id,
                recharge_order_id=row.recharge_order_id,
            )
        )
    return lines
