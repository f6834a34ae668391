"""Proofs of fees: each settlement is what it covers, they follow each other, and the money moved as they say.

What is covered is counted anew, in SQL of its own: the same rules as wallet/fees.py, written twice.
"""

from __future__ import annotations

from wallet.audit_sql import Proof

# Sales and refunds with the block that seals them: once each, however many transfers moved the money.
_MOVES = """
    SELECT s.block, c.station, c.captured_at AS debit_at, 0 AS was_fen, c.amount_fen AS left_fen
    FROM seals s JOIN transfers x ON x.id = s.row_id JOIN captures c ON c.visit_id = x.visit_id
    WHERE @sealed(transfers) AND x.kind = 'capture'
        AND (c.bonus_fen = 0 OR x.from_account LIKE '%:bonus')
    UNION ALL
    SELECT s.block, c.station, c.charged_at, 0, c.amount_fen
    FROM seals s JOIN charges c ON c.id = s.row_id WHERE @sealed(charges) AND c.code IS NULL
    UNION ALL
    SELECT s.block, COALESCE(c.station, g.station), COALESCE(c.captured_at, g.charged_at),
        r.debited_fen - r.refunded_fen + r.amount_fen, r.debited_fen - r.refunded_fen
    FROM seals s JOIN refunds r ON r.id = s.row_id
    LEFT JOIN captures c ON c.visit_id = r.visit_id
    LEFT JOIN charges g ON g.id = r.charge_id
    WHERE @sealed(refunds)
"""


# Joined to nothing, so that the index of blocks is taken and not the key: that has every seal of a table.
_SEALED = """
    s.sealed_table || '' = '@name'
    AND s.block > (SELECT MIN(COALESCE(after_block, 0)) FROM fee_settlements WHERE @since(recorded_at))
    AND s.block <= (SELECT MAX(to_block) FROM fee_settlements WHERE @since(recorded_at))
"""

# The fee of a sale of which so much is left.
_FEE = """
    CASE WHEN @left = 0 THEN 0
        WHEN t.fixed_fen + @left * t.rate_ppm / 1000000 > @left THEN @left
        ELSE t.fixed_fen + @left * t.rate_ppm / 1000000 END
"""

# What each settlement covers, under each terms.
_COVERED = """
    SELECT f.id AS settlement_id, t.id AS terms_id,
        CASE WHEN m.left_fen > m.was_fen THEN 1 ELSE 0 END AS debits,
        CASE WHEN m.left_fen > m.was_fen THEN 0 ELSE 1 END AS refunds,
        CASE WHEN m.left_fen > m.was_fen THEN m.left_fen - m.was_fen ELSE 0 END AS debited_fen,
        CASE WHEN m.left_fen > m.was_fen THEN 0 ELSE m.was_fen - m.left_fen END AS refunded_fen,
        (@now) - (@before) AS fee_fen
    FROM (@moves) m
    JOIN fee_settlements f ON f.station = m.station AND m.block > COALESCE(f.after_block, 0)
        AND m.block <= f.to_block
    JOIN fee_terms t ON t.station = m.station AND t.valid_from = (SELECT MAX(u.valid_from) FROM fee_terms u
        WHERE u.station = m.station AND u.valid_from <= m.debit_at)
    WHERE @since(f.recorded_at)
"""
_COUNTED = ("transfers", "charges", "refunds")
_COUNTS = ("debits", "refunds", "debited_fen", "refunded_fen", "fee_fen")


def _filled(sql: str) -> str:
    """The SQL of a proof with the parts above in it."""
    for name, part in (
        ("@covered", _COVERED),
        ("@now", _FEE.replace("@left", "m.left_fen")),
        ("@before", _FEE.replace("@left", "m.was_fen")),
        ("@moves", _MOVES),
        *((f"@sealed({name})", _SEALED.replace("@name", name)) for name in _COUNTED),
        ("@counts", ", ".join(_COUNTS)),
        ("@negative", ", ".join(f"-{name}" for name in _COUNTS)),
        ("@sums", ", ".join(f"SUM({name}) AS {name}" for name in _COUNTS)),
        ("@differ", " OR ".join(f"f.{name} <> COALESCE(l.{name}, 0)" for name in _COUNTS)),
        ("@uneven", " OR ".join(f"SUM(d.{name}) <> 0" for name in _COUNTS)),
    ):
        sql = sql.replace(name, part)
    return sql


FEES: tuple[Proof, ...] = (
    Proof(
        "fee_settlement_is_what_it_covers",
        "I2",
        "SELECT COUNT(*) FROM fee_settlements WHERE @since(recorded_at)",
        _filled("""
        SELECT 'fee settlement ' || f.station || '/' || CAST(f.number AS TEXT) || ' counts '
            || CAST(SUM(d.debits) AS TEXT) || ' sales, ' || CAST(SUM(d.refunds) AS TEXT) || ' refunds and '
            || CAST(SUM(d.fee_fen) AS TEXT) || ' fen more than its blocks seal under terms ' || d.terms_id
        FROM (
            SELECT settlement_id, terms_id, @counts FROM fee_lines
            UNION ALL
            SELECT settlement_id, terms_id, @negative FROM (@covered) c
        ) d JOIN fee_settlements f ON f.id = d.settlement_id
        WHERE @since(f.recorded_at)
        GROUP BY f.station, f.number, d.terms_id
        HAVING @uneven
        ORDER BY f.station, f.number, d.terms_id
        """),
    ),
    Proof(
        "fee_settlement_is_the_sum_of_its_lines",
        "I2",
        "SELECT COUNT(*) FROM fee_lines",
        _filled("""
        SELECT 'fee settlement ' || f.station || '/' || CAST(f.number AS TEXT) || ' is '
            || CAST(f.fee_fen AS TEXT) || ' fen; its lines make ' || CAST(COALESCE(l.fee_fen, 0) AS TEXT)
        FROM fee_settlements f
        LEFT JOIN (SELECT settlement_id, @sums
                   FROM fee_lines GROUP BY settlement_id) l ON l.settlement_id = f.id
        WHERE @differ
        UNION ALL
        SELECT 'fee line ' || l.id || ' belongs to no settlement' FROM fee_lines l
        LEFT JOIN fee_settlements f ON f.id = l.settlement_id WHERE f.id IS NULL
        """),
    ),
    Proof(
        "fee_settlements_follow_each_other",
        "I4",
        "SELECT COUNT(*) FROM fee_settlements",
        """
        SELECT 'fee settlement ' || station || '/' || CAST(number AS TEXT) || ' begins after block '
            || CAST(COALESCE(after_block, 0) AS TEXT) || '; the one before it here is number '
            || CAST(number_before AS TEXT) || ' and ends at ' || CAST(COALESCE(ended, 0) AS TEXT)
        FROM (SELECT station, number, after_block, to_block,
                LAG(number, 1, 0) OVER (PARTITION BY station ORDER BY number) AS number_before,
                LAG(to_block) OVER (PARTITION BY station ORDER BY number) AS ended
              FROM fee_settlements) q
        WHERE number <> number_before + 1 OR COALESCE(after_block, 0) <> COALESCE(ended, 0)
            OR to_block <= COALESCE(after_block, 0)
        ORDER BY station, number
        """,
    ),
    Proof(
        "fee_is_transferred_as_settled",
        "I2",
        "SELECT COUNT(*) FROM transfers t WHERE t.kind = 'fee' AND @fresh(t.id)",
        """
        SELECT 'fee settlement ' || f.station || '/' || CAST(f.number AS TEXT) || ' is '
            || CAST(f.fee_fen AS TEXT) || ' fen; moved were ' || CAST(COALESCE(t.amount_fen, 0) AS TEXT)
            || ' from ' || COALESCE(t.from_account, 'nowhere')
        FROM fee_settlements f LEFT JOIN transfers t ON t.id = f.transfer_id
        WHERE @since(f.recorded_at) AND (COALESCE(t.amount_fen, 0) <> ABS(f.fee_fen)
            OR (f.fee_fen = 0) <> (f.transfer_id IS NULL)
            OR t.kind <> 'fee' OR t.account_id IS NOT NULL OR t.recorded_at <> f.recorded_at
            OR t.from_account <> CASE WHEN f.fee_fen > 0 THEN 'revenue:' ELSE 'fee:' END || f.station
            OR t.to_account <> CASE WHEN f.fee_fen > 0 THEN 'fee:' ELSE 'revenue:' END || f.station)
        UNION ALL
        SELECT 'transfer ' || t.id || ' (' || t.name || ') belongs to no fee settlement' FROM transfers t
        LEFT JOIN fee_settlements f ON f.transfer_id = t.id
        WHERE (t.kind = 'fee' OR t.from_account LIKE 'fee:%' OR t.to_account LIKE 'fee:%')
            AND f.id IS NULL AND @fresh(t.id)
        """,
    ),
)
