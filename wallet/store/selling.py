"""Rows of sales: what pumps sold, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, bindparam, literal_column, select, update

from wallet.facts import Reason, Sale, SaleResult, SaleState, Visit
from wallet.stays import EXPIRED
from wallet.store.events import reasons_from_json, reasons_to_json
from wallet.store.forecourt import visit_from, visits_with_money
from wallet.store.statements import Statement, insert_new
from wallet.tables import reviews, sales, visits

_THIS_SALE = (sales.c.station == bindparam("station"), sales.c.sale_id == bindparam("sale_id"))
_SALE_HASH = Statement(select(sales.c.body_hash).where(*_THIS_SALE))
_SALE = Statement(select(sales).where(*_THIS_SALE))
# Written out, so that the planner sees that the index of waiting sales will do.
_IS_WAITING = sales.c.state == literal_column("'waiting'")
_WAITING = Statement(
    select(sales)
    .where(sales.c.station == bindparam("station"), sales.c.pump == bindparam("pump"), _IS_WAITING)
    .order_by(sales.c.started_at, sales.c.sale_id)
)
_SETTLED = {
    name: bindparam(name, type_=sales.c[name].type)
    for name in ("state", "visit_id", "captured_fen", "reasons", "settled_at")
}
_ITS_SALE = (sales.c.station == bindparam("its_station"), sales.c.sale_id == bindparam("its_sale_id"))
_SETTLE = Statement(update(sales).where(*_ITS_SALE, _IS_WAITING).values(_SETTLED))
_NOT_SETTLED = _IS_WAITING | (sales.c.state == literal_column("'review'"))
_CAPTURE = Statement(update(sales).where(*_ITS_SALE, _NOT_SETTLED).values(_SETTLED))


class SaleKnown(Exception):  # noqa: N818
    """A sale of this name was written down before."""


def add_sale(connection: Connection, sale: Sale, body: str, where: SaleResult, now: datetime) -> None:
    """Writes a sale down where it stands, waiting or settled; raises SaleKnown where its id is known.

    body: the hash of what the pump said.
    """
    is_new = insert_new(
        connection,
        sales,
        station=sale.station,
        sale_id=sale.sale_id,
        pump=sale.pump,
        grade=sale.grade,
        litres_ml=sale.litres_ml,
        unit_price_fen=sale.unit_price_fen,
        amount_fen=sale.amount_fen,
        started_at=sale.started_at,
        ended_at=sale.ended_at,
        body_hash=body,
        state=where.state,
        visit_id=where.visit_id,
        captured_fen=where.captured_fen,
        reasons=reasons_to_json(where.reasons),
        recorded_at=now,
        settled_at=None if where.state == "waiting" else now,
    )
    if not is_new:
        raise SaleKnown()


def sale_hash(connection: Connection, station: str, sale_id: str) -> str:
    """Hash of the body that came with this sale first."""
    return str(_SALE_HASH.one(connection, station=station, sale_id=sale_id).body_hash)


def find_sale(connection: Connection, station: str, sale_id: str) -> tuple[Sale, SaleResult] | None:
    """The sale and where it stands."""
    row = _SALE.first(connection, station=station, sale_id=sale_id)
    return None if row is None else (sale_from(row), result_from(row))


def waiting_sales_at(connection: Connection, station: str, pump: str) -> list[Sale]:
    """Sales of a pump that wait for their visit, oldest first."""
    return [sale_from(row) for row in _WAITING.all(connection, station=station, pump=pump)]


def sales_for_a_person(connection: Connection, station: str, pump: str) -> list[tuple[Sale, str]]:
    """(sale, kind of its open review item) of a pump, oldest first: no money was taken for them yet."""
    query = (
        select(sales, reviews.c.kind)
        .join(reviews, (reviews.c.station == sales.c.station) & (reviews.c.sale_id == sales.c.sale_id))
        .where(
            reviews.c.state == "open",
            reviews.c.station == station,
            sales.c.pump == pump,
            sales.c.state == "review",
        )
        .order_by(sales.c.started_at, sales.c.sale_id)
    )
    return [(sale_from(row), row.kind) for row in connection.execute(query)]


def overdue_sales(connection: Connection, recorded_before: datetime, most: int) -> Sequence[tuple[str, str]]:
    """(station, sale id) of sales that have waited since before this time."""
    query = (
        select(sales.c.station, sales.c.sale_id)
        .where(sales.c.state == "waiting", sales.c.recorded_at < recorded_before)
        .order_by(sales.c.recorded_at, sales.c.sale_id)
        .limit(most)
    )
    return [(row.station, row.sale_id) for row in connection.execute(query)]


_PAYABLE_VISITS = Statement(
    visits_with_money()
    .where(
        visits.c.station == bindparam("station"),
        visits.c.pump == bindparam("pump"),
        (visits.c.state == literal_column("'open'"))
        | (
            visits.c.ended_by.in_([literal_column(f"'{end}'") for end in EXPIRED])
            & (visits.c.settled_at >= bindparam("expired_since"))
        ),
    )
    .order_by(visits.c.opened_at, visits.c.id)
)


def payable_visits_at(
    connection: Connection, station: str, pump: str, expired_since: datetime
) -> list[Visit]:
    """Open visits at a pump and those whose hold expired since then, oldest first."""
    rows = _PAYABLE_VISITS.all(connection, station=station, pump=pump, expired_since=expired_since)
    return [visit_from(row) for row in rows]


def settle_sale(
    connection: Connection,
    sale: Sale,
    state: SaleState,
    visit_id: str | None,
    captured_fen: int,
    reasons: Sequence[Reason],
    now: datetime,
    body: str | None = None,
) -> SaleResult:
    """Ends the waiting of a sale, once; one that was sent to a person can still be captured.

    body: the hash of a sale that is not written down yet: it is written as it ends. Raises SaleKnown.
    """
    result = SaleResult(sale.sale_id, sale.station, state, visit_id, captured_fen, tuple(reasons))
    if body is not None:
        add_sale(connection, sale, body, result, now)
        return result
    settling = _CAPTURE if state == "captured" else _SETTLE
    changed = settling.run(
        connection,
        its_station=sale.station,
        its_sale_id=sale.sale_id,
        state=state,
        visit_id=visit_id,
        captured_fen=captured_fen,
        reasons=reasons_to_json(reasons),
        settled_at=now,
    )
    if changed != 1:
        raise RuntimeError(f"sale {sale.station}/{sale.sale_id} is settled already")
    return result


def sale_from(row: Row[tuple[object, ...]]) -> Sale:
    """A row of sales as what the pump said."""
    return Sale(
        sale_id=row.sale_id,
        station=row.station,
        pump=row.pump,
        grade=row.grade,
        litres_ml=row.litres_ml,
        unit_price_fen=row.unit_price_fen,
        amount_fen=row.amount_fen,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


def result_from(row: Row[tuple[object, ...]]) -> SaleResult:
    """A row of sales as where it stands."""
    return SaleResult(
        sale_id=row.sale_id,
        station=row.station,
        state=row.state,
        visit_id=row.visit_id,
        captured_fen=row.captured_fen,
        reasons=reasons_from_json(row.reasons),
    )
