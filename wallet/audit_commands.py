"""Proofs of commands: charges, refunds, reversals, adjustments, and that what was answered is there."""

from __future__ import annotations

from wallet.audit_sql import Proof

# A refund's earlier ones, itself among them.
_UP_TO = """
    FROM refunds q WHERE q.number <= r.number AND (q.visit_id = r.visit_id OR q.charge_id = r.charge_id)
"""

COMMANDS: tuple[Proof, ...] = (
    Proof(
        "charge_is_transferred",
        "I2",
        "SELECT COUNT(*) FROM charges WHERE @wallet(account_id)",
        # Where one part paid, the row is the transfer, and both parts are what it says.
        """
        SELECT 'charge ' || c.id || ' is ' || CAST(c.bonus_fen AS TEXT) || ' + '
            || CAST(c.principal_fen AS TEXT) || ' fen; its transfers move '
            || CAST(COALESCE(m.bonus_fen, 0) AS TEXT) || ' + ' || CAST(COALESCE(m.principal_fen, 0) AS TEXT)
        FROM charges c
        LEFT JOIN (SELECT t.charge_id, @parts FROM ledger_transfers t
                   WHERE t.kind = 'charge' AND @wallet(t.account_id) GROUP BY t.charge_id) m
            ON m.charge_id = c.id
        WHERE @wallet(c.account_id) AND (c.bonus_fen <> COALESCE(m.bonus_fen, 0)
            OR c.principal_fen <> COALESCE(m.principal_fen, 0)
            OR COALESCE(m.bonus_fen, 0) + COALESCE(m.principal_fen, 0)
                <> CASE WHEN c.code IS NULL THEN c.amount_fen ELSE 0 END)
        UNION ALL
        SELECT 'transfer ' || t.id || ' (' || t.name || ') belongs to no charge' FROM transfers t
        LEFT JOIN charges c ON c.id = t.charge_id AND c.account_id = t.account_id AND c.station = t.station
            AND c.charged_at = t.recorded_at AND t.to_account = 'revenue:' || c.station AND c.part IS NULL
        WHERE t.kind = 'charge' AND c.id IS NULL AND @fresh(t.id)
        """,
    ),
    Proof(
        "charge_is_answered_once",
        "I5",
        "SELECT COUNT(*) FROM charges WHERE @wallet(account_id)",
        """
        SELECT 'charge ' || c.id || ' (' || COALESCE(c.idempotency_key, 'of no name')
            || ') is answered in words that do not fit, or twice'
        FROM charges c
        LEFT JOIN commands o ON o.scope = 'charge' AND o.idempotency_key = c.idempotency_key
        WHERE @wallet(c.account_id) AND (o.id IS NOT NULL
            OR (c.idempotency_key IS NULL AND (c.part IS NOT NULL OR c.code IS NOT NULL))
            OR (c.idempotency_key IS NULL) <> (c.body_hash IS NULL)
            OR (c.idempotency_key IS NULL) <> (c.actor IS NULL)
            OR (c.code IS NULL) <> (c.said IS NULL)
            OR (c.idempotency_key IS NOT NULL AND (c.code IS NULL) <> (c.wallet_after_fen IS NOT NULL)))
        ORDER BY c.id
        """,
    ),
    Proof(
        "refunds_add_up",
        "I4",
        "SELECT COUNT(*) FROM refunds WHERE @wallet(account_id)",
        """
        SELECT 'refund ' || r.id || ' (number ' || CAST(r.number AS TEXT) || ') of '
            || CAST(r.amount_fen AS TEXT) || ' fen makes ' || CAST(r.refunded_fen AS TEXT) || ' of '
            || CAST(r.debited_fen AS TEXT) || ': that does not fit what was taken and given back'
        FROM refunds r
        LEFT JOIN captures c ON c.visit_id = r.visit_id
        LEFT JOIN charges g ON g.id = r.charge_id AND g.code IS NULL
        LEFT JOIN (SELECT t.refund_id, @parts FROM transfers t
                   WHERE t.refund_id IS NOT NULL AND @wallet(t.account_id) GROUP BY t.refund_id) m
            ON m.refund_id = r.id
        WHERE @wallet(r.account_id) AND (
            COALESCE(c.account_id, g.account_id, 'nobody') <> r.account_id
            OR COALESCE(c.amount_fen, g.amount_fen, 0) <> r.debited_fen
            OR COALESCE(m.bonus_fen, 0) <> r.bonus_fen OR COALESCE(m.principal_fen, 0) <> r.principal_fen
            OR r.amount_fen <> r.bonus_fen + r.principal_fen OR r.refunded_fen > r.debited_fen
            OR r.number <> (SELECT COUNT(*) @upto) OR r.refunded_fen <> (SELECT SUM(q.amount_fen) @upto)
            OR (SELECT SUM(q.bonus_fen) @upto)
                <> COALESCE(c.bonus_fen, g.bonus_fen) * r.refunded_fen / NULLIF(r.debited_fen, 0))
        UNION ALL
        SELECT 'transfer ' || t.id || ' (' || t.name || ') belongs to no refund' FROM transfers t
        LEFT JOIN refunds r ON r.id = t.refund_id AND r.account_id = t.account_id AND r.kind = t.kind
            AND r.recorded_at = t.recorded_at AND t.from_account = 'revenue:' || t.station
        WHERE (t.kind = 'refund' OR t.refund_id IS NOT NULL) AND r.id IS NULL AND @fresh(t.id)
        """.replace("@upto", _UP_TO),
    ),
    Proof(
        "reversal_takes_back_what_it_names",
        "I4",
        "SELECT COUNT(*) FROM transfers t WHERE t.kind = 'reversal' AND @fresh(t.id)",
        """
        SELECT 'transfer ' || t.id || ' (' || t.name || ') does not take back '
            || COALESCE(t.reverses_id, '-')
        FROM transfers t LEFT JOIN ledger_transfers o ON o.id = t.reverses_id
        WHERE (t.kind = 'reversal' OR t.reverses_id IS NOT NULL) AND @fresh(t.id) AND (
            o.id IS NULL OR o.from_account <> t.to_account OR o.to_account <> t.from_account
            OR o.account_id <> t.account_id OR t.amount_fen > o.amount_fen
            OR (t.refund_id IS NULL AND t.amount_fen <> o.amount_fen))
        ORDER BY t.id
        """,
    ),
    Proof(
        "adjustment_has_two_people",
        "I6",
        "SELECT COUNT(*) FROM adjustments",
        """
        SELECT 'adjustment ' || a.id || ' of ' || CAST(a.change_fen AS TEXT) || ' fen proposed by '
            || a.proposed_by || ' is ' || COALESCE(d.decision || ' by ' || d.decided_by, 'open')
            || '; moved were ' || CAST(COALESCE(t.amount_fen, 0) AS TEXT)
        FROM adjustments a
        LEFT JOIN adjustment_decisions d ON d.adjustment_id = a.id
        LEFT JOIN transfers t ON t.adjustment_id = a.id AND t.kind = 'adjustment'
        WHERE d.decided_by = a.proposed_by OR d.proposed_by <> a.proposed_by
            OR (t.id IS NOT NULL) <> (COALESCE(d.decision, 'open') = 'approved')
            OR t.amount_fen <> ABS(a.change_fen) OR t.account_id <> a.account_id
            OR d.recorded_at <> COALESCE(t.recorded_at, d.recorded_at)
            OR CASE WHEN a.change_fen > 0 THEN t.to_account ELSE t.from_account END
                <> 'wallet:' || a.account_id || ':' || a.part
        UNION ALL
        SELECT 'transfer ' || t.id || ' (' || t.name || ') belongs to no adjustment' FROM transfers t
        LEFT JOIN adjustments a ON a.id = t.adjustment_id
        WHERE t.kind = 'adjustment' AND a.id IS NULL AND @fresh(t.id)
        """,
    ),
    Proof(
        "answer_has_its_rows",
        "I5",
        "SELECT COUNT(*) FROM commands c WHERE c.outcome = 'done' AND @command(c.id)",
        """
        SELECT c.scope || ' ' || c.idempotency_key || ' was answered as done, but what it did is not there'
        FROM commands c
        WHERE c.outcome = 'done' AND @command(c.id) AND NOT CASE c.scope
            WHEN 'charge' THEN EXISTS (SELECT 1 FROM charges x WHERE x.id = c.answer ->> 'charge_id'
                AND CAST(x.amount_fen AS TEXT) = c.answer ->> 'amount_fen')
            WHEN 'refund' THEN EXISTS (SELECT 1 FROM refunds x WHERE x.id = c.answer ->> 'refund_id'
                AND CAST(x.amount_fen AS TEXT) = c.answer ->> 'amount_fen')
            WHEN 'reversal' THEN EXISTS (SELECT 1 FROM transfers x
                WHERE x.id = c.answer -> 'transfer_ids' ->> 0 AND x.kind = 'reversal')
            WHEN 'bonus' THEN EXISTS (SELECT 1 FROM transfers x WHERE x.id = c.answer ->> 'transfer_id'
                AND x.kind = 'bonus' AND CAST(x.amount_fen AS TEXT) = c.answer ->> 'amount_fen')
            WHEN 'adjustment' THEN EXISTS (SELECT 1 FROM adjustments x
                WHERE x.id = c.answer ->> 'adjustment_id')
            WHEN 'adjustment-decision' THEN EXISTS (SELECT 1 FROM adjustment_decisions x
                WHERE x.adjustment_id = c.answer ->> 'adjustment_id' AND x.decided_by = c.actor)
            WHEN 'void' THEN EXISTS (SELECT 1 FROM visits x
                WHERE x.id = c.answer ->> 'visit_id' AND x.state = 'voided')
            WHEN 'review' THEN EXISTS (SELECT 1 FROM review_answers x
                WHERE x.review_id = c.answer ->> 'review_id' AND x.answered_by = c.actor)
                OR EXISTS (SELECT 1 FROM known_case_answers x
                WHERE x.case_id = c.answer ->> 'review_id' AND x.answered_by = c.actor)
            WHEN 'fee-terms' THEN EXISTS (SELECT 1 FROM fee_terms x WHERE x.id = c.answer ->> 'terms_id'
                AND x.station = c.answer ->> 'station' AND x.actor = c.actor)
            WHEN 'fee-settlement' THEN (SELECT CAST(COUNT(*) AS TEXT) FROM fee_settlements x
                WHERE x.command_key = c.idempotency_key) = c.answer ->> 'settlements'
            ELSE 1 = 1 END
        ORDER BY c.id
        """,
    ),
    Proof(
        "money_moved_by_hand_was_commanded",
        "I6",
        "SELECT COUNT(*) FROM commands WHERE outcome = 'done' AND scope IN ('charge', 'refund', 'bonus')",
        """
        SELECT 'charge ' || id || ' was never commanded' FROM (
            SELECT id FROM charges WHERE idempotency_key IS NULL EXCEPT
            SELECT answer ->> 'charge_id' FROM commands WHERE scope = 'charge' AND outcome = 'done'
        ) AS charge_left
        UNION ALL
        SELECT 'refund ' || id || ' was never commanded' FROM (
            SELECT id FROM refunds EXCEPT
            SELECT answer ->> 'refund_id' FROM commands
            WHERE scope IN ('refund', 'reversal', 'review') AND outcome = 'done'
        ) AS refund_left
        UNION ALL
        SELECT 'bonus ' || id || ' was never commanded' FROM (
            SELECT id FROM transfers WHERE kind = 'bonus' EXCEPT
            SELECT answer ->> 'transfer_id' FROM commands WHERE scope = 'bonus' AND outcome = 'done'
        ) AS bonus_left
        UNION ALL
        SELECT 'fee terms ' || id || ' were never commanded' FROM (
            SELECT id FROM fee_terms EXCEPT
            SELECT answer ->> 'terms_id' FROM commands WHERE scope = 'fee-terms' AND outcome = 'done'
        ) AS terms_left
        UNION ALL
        SELECT 'fee settlement by ' || command_key || ' was never commanded' FROM (
            SELECT command_key FROM fee_settlements EXCEPT
            SELECT idempotency_key FROM commands WHERE scope = 'fee-settlement' AND outcome = 'done'
        ) AS settlements_left
        """,
        whole=True,
    ),
    Proof(
        "named_answer_is_there",
        "I5",
        "SELECT COUNT(*) FROM idempotency_keys",
        """
        SELECT k.scope || ' ' || k.idempotency_key || ' was answered with ' || k.answer_id
            || ', which is not there'
        FROM idempotency_keys k
        LEFT JOIN accounts a ON k.scope = 'account' AND a.id = k.answer_id
        LEFT JOIN vehicles v ON k.scope = 'vehicle' AND v.id = k.answer_id
        LEFT JOIN recharge_orders o ON k.scope = 'recharge-order' AND o.id = k.answer_id
        WHERE k.scope IN ('account', 'vehicle', 'recharge-order')
            AND COALESCE(a.id, v.id, o.id) IS NULL
        """,
        whole=True,
    ),
)
