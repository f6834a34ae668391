"""Proves the money from the rows alone.

Each check counts what it looked at and names the first row that breaks it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, TextClause, text

from wallet.facts import AuditCheck, AuditReport


@dataclass(frozen=True, slots=True)
class Proof:
    """One rule as SQL: `rows` counts what it covers, `bad` lists what breaks it as one column of text."""

    name: str
    rows: str
    bad: str


_FOLD = "SELECT ledger_account, SUM(amount_fen) AS folded_fen FROM entries GROUP BY ledger_account"

# The total of a wallet after each of its transfers, from the transfers alone.
_RUNNING = """
    SELECT id, name, account_id, wallet_version, wallet_after_fen,
           SUM(CASE WHEN to_account LIKE 'wallet:%' THEN amount_fen ELSE -amount_fen END)
               OVER (PARTITION BY account_id ORDER BY wallet_version) AS computed_fen,
           ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY wallet_version) AS place
    FROM transfers WHERE account_id IS NOT NULL
"""

LEDGER: tuple[Proof, ...] = (
    Proof(
        "legs_sum_to_zero",
        "SELECT COUNT(*) FROM ledger_accounts",
        """
        SELECT 'all accounts together are off by ' || CAST(total AS TEXT) || ' fen' FROM (
            SELECT (SELECT COALESCE(SUM(principal_fen + bonus_fen), 0) FROM wallets)
                 + (SELECT COALESCE(SUM(f.folded_fen), 0) FROM (@fold) f
                    WHERE f.ledger_account NOT LIKE 'wallet:%') AS total
        ) t WHERE total <> 0
        """,
    ),
    Proof(
        "balance_is_fold_of_transfers",
        "SELECT COUNT(*) FROM wallets",
        """
        SELECT 'wallet ' || w.account_id || ' has ' || CAST(w.principal_fen AS TEXT) || ' + '
            || CAST(w.bonus_fen AS TEXT) || ' fen; its transfers say '
                || CAST(COALESCE(p.folded_fen, 0) AS TEXT)
            || ' + ' || CAST(COALESCE(b.folded_fen, 0) AS TEXT)
        FROM wallets w
        LEFT JOIN (@fold) p ON p.ledger_account = 'wallet:' || w.account_id || ':principal'
        LEFT JOIN (@fold) b ON b.ledger_account = 'wallet:' || w.account_id || ':bonus'
        WHERE w.principal_fen <> COALESCE(p.folded_fen, 0) OR w.bonus_fen <> COALESCE(b.folded_fen, 0)
        ORDER BY w.account_id
        """,
    ),
    Proof(
        "transfers_have_no_gap",
        "SELECT COUNT(*) FROM transfers WHERE account_id IS NOT NULL",
        """
        SELECT 'wallet ' || account_id || ': transfer number ' || CAST(place AS TEXT) || ' is missing'
        FROM (@running) r WHERE wallet_version <> place
        UNION ALL
        SELECT 'wallet ' || w.account_id || ' counts ' || CAST(w.version AS TEXT) || ' transfers and has '
            || CAST(COUNT(t.id) AS TEXT)
        FROM wallets w LEFT JOIN transfers t ON t.account_id = w.account_id
        GROUP BY w.account_id, w.version HAVING COUNT(t.id) <> w.version
        """,
    ),
    Proof(
        "running_balance_adds_up",
        "SELECT COUNT(*) FROM transfers WHERE account_id IS NOT NULL",
        """
        SELECT 'transfer ' || id || ' (' || name || ') leaves ' || CAST(wallet_after_fen AS TEXT)
            || ' fen; the transfers up to it make ' || CAST(computed_fen AS TEXT)
        FROM (@running) r WHERE wallet_after_fen <> computed_fen
        ORDER BY account_id, wallet_version
        """,
    ),
    Proof(
        "available_not_negative",
        "SELECT COUNT(*) FROM wallets",
        """
        SELECT 'wallet ' || account_id || ' holds ' || CAST(held_fen AS TEXT) || ' of '
            || CAST(principal_fen + bonus_fen AS TEXT) || ' fen'
        FROM wallets
        WHERE principal_fen < 0 OR bonus_fen < 0 OR held_fen < 0 OR held_fen > principal_fen + bonus_fen
        ORDER BY account_id
        """,
    ),
    Proof(
        "held_is_sum_of_live_holds",
        "SELECT COUNT(*) FROM holds WHERE state = 'live'",
        """
        SELECT 'wallet ' || w.account_id || ' has ' || CAST(w.held_fen AS TEXT)
            || ' fen held; its live holds are '
            || CAST(COALESCE(h.live_fen, 0) AS TEXT)
        FROM wallets w
        LEFT JOIN (SELECT account_id, SUM(amount_fen) AS live_fen FROM holds WHERE state = 'live'
            GROUP BY account_id) h
            ON h.account_id = w.account_id
        WHERE w.held_fen <> COALESCE(h.live_fen, 0)
        ORDER BY w.account_id
        """,
    ),
)

FORECOURT: tuple[Proof, ...] = (
    Proof(
        "one_hold_per_visit",
        "SELECT COUNT(*) FROM visits",
        """
        SELECT 'visit ' || v.id || ' has ' || CAST(COUNT(h.id) AS TEXT) || ' holds'
        FROM visits v LEFT JOIN holds h ON h.visit_id = v.id
        GROUP BY v.id HAVING COUNT(h.id) <> 1 ORDER BY v.id
        """,
    ),
    Proof(
        "visit_fits_its_hold",
        "SELECT COUNT(*) FROM visits",
        """
        SELECT 'visit ' || v.id || ' is ' || v.state || ', its hold ' || h.id || ' is ' || h.state
        FROM visits v JOIN holds h ON h.visit_id = v.id
        WHERE h.state <> CASE v.state WHEN 'open' THEN 'live' ELSE v.state END OR h.account_id <> v.account_id
        ORDER BY v.id
        """,
    ),
    Proof(
        "one_capture_per_sale_and_visit",
        "SELECT COUNT(*) FROM captures",
        """
        SELECT 'sale ' || station || '/' || sale_id || ' is captured ' || CAST(COUNT(*) AS TEXT) || ' times'
        FROM captures GROUP BY station, sale_id HAVING COUNT(*) > 1
        UNION ALL
        SELECT 'visit ' || visit_id || ' is captured ' || CAST(COUNT(*) AS TEXT) || ' times'
        FROM captures GROUP BY visit_id HAVING COUNT(*) > 1
        UNION ALL
        SELECT 'visit ' || v.id || ' is captured, but nothing was taken' FROM visits v
        WHERE v.state = 'captured' AND NOT EXISTS (SELECT 1 FROM captures c WHERE c.visit_id = v.id)
        """,
    ),
    Proof(
        "capture_within_hold",
        "SELECT COUNT(*) FROM captures",
        """
        SELECT 'capture of visit ' || c.visit_id || ' took ' || CAST(c.amount_fen AS TEXT)
            || ' fen; its hold '
            || h.id || ' was ' || CAST(h.amount_fen AS TEXT) || ' and says ' || CAST(h.captured_fen AS TEXT)
        FROM captures c JOIN holds h ON h.id = c.hold_id
        WHERE c.amount_fen > h.amount_fen OR c.amount_fen <> h.captured_fen OR c.visit_id <> h.visit_id
            OR c.account_id <> h.account_id OR h.state <> 'captured'
        ORDER BY c.visit_id
        """,
    ),
    Proof(
        "capture_is_transferred",
        "SELECT COUNT(*) FROM transfers WHERE kind = 'capture'",
        """
        SELECT 'capture of visit ' || c.visit_id || ' is ' || CAST(c.amount_fen AS TEXT)
            || ' fen; its transfers move '
            || CAST(COALESCE(t.moved_fen, 0) AS TEXT)
        FROM captures c
        LEFT JOIN (SELECT visit_id, SUM(amount_fen) AS moved_fen FROM transfers WHERE kind = 'capture'
                   GROUP BY visit_id) t ON t.visit_id = c.visit_id
        WHERE c.amount_fen <> COALESCE(t.moved_fen, 0)
        UNION ALL
        SELECT 'transfer ' || t.id || ' (' || t.name || ') belongs to no capture' FROM transfers t
        LEFT JOIN captures c ON c.visit_id = t.visit_id AND c.station = t.station AND c.sale_id = t.sale_id
            AND c.account_id = t.account_id
        WHERE t.kind = 'capture' AND c.visit_id IS NULL
        """,
    ),
    Proof(
        "sale_fits_its_capture",
        "SELECT COUNT(*) FROM sales",
        """
        SELECT 'sale ' || s.station || '/' || s.sale_id || ' is ' || s.state || ' with '
            || CAST(s.captured_fen AS TEXT) || ' fen; captured were '
                || CAST(COALESCE(c.amount_fen, 0) AS TEXT)
        FROM sales s LEFT JOIN captures c ON c.station = s.station AND c.sale_id = s.sale_id
        WHERE s.captured_fen <> COALESCE(c.amount_fen, 0) OR s.captured_fen > s.amount_fen
            OR (c.visit_id IS NOT NULL AND c.visit_id <> s.visit_id)
        ORDER BY s.station, s.sale_id
        """,
    ),
    Proof(
        "sale_for_review_is_in_the_queue",
        "SELECT COUNT(*) FROM sales WHERE state = 'review' OR (state = 'captured' AND "
        "captured_fen < amount_fen)",
        """
        SELECT 'sale ' || s.station || '/' || s.sale_id || ' needs a person, but is not in the queue'
            FROM sales s
        WHERE (s.state = 'review' OR (s.state = 'captured' AND s.captured_fen < s.amount_fen))
            AND NOT EXISTS (SELECT 1 FROM reviews r WHERE r.station = s.station AND r.sale_id = s.sale_id)
        ORDER BY s.station, s.sale_id
        """,
    ),
    Proof(
        "sighting_has_its_match",
        "SELECT COUNT(*) FROM sightings",
        """
        SELECT 'sighting ' || s.id || ' has no match' FROM sightings s
        LEFT JOIN matches m ON m.sighting_id = s.id WHERE m.sighting_id IS NULL ORDER BY s.id
        """,
    ),
    Proof(
        "match_fits_its_visit",
        "SELECT COUNT(*) FROM matches",
        """
        SELECT 'sighting ' || m.sighting_id || ' (' || m.outcome || ') does not fit visit ' || v.id
        FROM matches m JOIN visits v ON v.id = m.visit_id
        WHERE m.outcome <> 'auto' OR m.account_id <> v.account_id OR m.plate <> v.plate
        ORDER BY m.sighting_id
        """,
    ),
)

RECHARGE: tuple[Proof, ...] = (
    Proof(
        "paid_order_is_credited_once",
        "SELECT COUNT(*) FROM recharge_orders",
        """
        SELECT 'order ' || o.id || ' is ' || o.state || ' over ' || CAST(o.amount_fen AS TEXT)
            || ' fen; credited were '
            || CAST(COALESCE(t.credited_fen, 0) AS TEXT)
        FROM recharge_orders o
        LEFT JOIN (SELECT recharge_order_id, SUM(amount_fen) AS credited_fen FROM transfers
            WHERE kind = 'recharge'
                   GROUP BY recharge_order_id) t ON t.recharge_order_id = o.id
        WHERE COALESCE(t.credited_fen, 0) <> CASE o.state WHEN 'paid' THEN o.amount_fen ELSE 0 END
        ORDER BY o.id
        """,
    ),
    Proof(
        "payment_is_booked",
        "SELECT COUNT(*) FROM channel_payments",
        """
        SELECT 'payment ' || p.channel || '/' || p.channel_txn_id || ' was ' || p.outcome
            || ', but is not booked'
        FROM channel_payments p
        LEFT JOIN transfers t ON t.name = CASE p.outcome WHEN 'applied' THEN 'recharge:' || p.order_id
            ELSE 'suspense:' || p.channel || '/' || p.channel_txn_id END
        WHERE t.id IS NULL OR t.amount_fen <> p.amount_fen
        ORDER BY p.channel, p.channel_txn_id
        """,
    ),
)

PROOFS: tuple[Proof, ...] = LEDGER + FORECOURT + RECHARGE


def audit(connection: Connection) -> AuditReport:
    """Every proof against the rows as they are now."""
    return AuditReport(tuple(_check(connection, proof) for proof in PROOFS))


def _check(connection: Connection, proof: Proof) -> AuditCheck:
    count = int(connection.execute(_sql(proof.rows)).scalar_one())
    # The list is cut after its first row: one is enough to know, and a broken ledger may have millions.
    first_bad = connection.execute(_sql(proof.bad + " LIMIT 1")).scalar_one_or_none()
    return AuditCheck(proof.name, first_bad is None, count, first_bad)


def _sql(statement: str) -> TextClause:
    """The statement with its parts put in; a colon in it is not a parameter."""
    return text(statement.replace("@fold", _FOLD).replace("@running", _RUNNING).replace(":", "\\:"))
