"""Proofs of the ledger itself: wallets, transfers, recharge orders."""

from __future__ import annotations

from wallet.audit_sql import Proof

LEDGER: tuple[Proof, ...] = (
    Proof(
        "legs_sum_to_zero",
        "I1",
        "SELECT COUNT(*) FROM ledger_accounts",
        """
        SELECT 'all accounts together are off by ' || CAST(total AS TEXT) || ' fen' FROM (
            SELECT (SELECT COALESCE(SUM(principal_fen + bonus_fen), 0) FROM wallets)
                 + (SELECT COALESCE(SUM(f.folded_fen), 0) FROM (@fold) f
                    WHERE f.ledger_account NOT LIKE 'wallet:%') AS total
        ) t WHERE total <> 0
        """,
        whole=True,
    ),
    Proof(
        "balance_is_fold_of_transfers",
        "I2",
        "SELECT COUNT(*) FROM wallets w WHERE @wallet(w.account_id)",
        """
        SELECT 'wallet ' || w.account_id || ' has ' || CAST(w.principal_fen AS TEXT) || ' + '
            || CAST(w.bonus_fen AS TEXT) || ' fen; its transfers say '
            || CAST(COALESCE(f.principal_fen, 0) AS TEXT) || ' + ' || CAST(COALESCE(f.bonus_fen, 0) AS TEXT)
        FROM wallets w LEFT JOIN (@sides) f ON f.account_id = w.account_id
        WHERE @wallet(w.account_id) AND (w.principal_fen <> COALESCE(f.principal_fen, 0)
            OR w.bonus_fen <> COALESCE(f.bonus_fen, 0))
        ORDER BY w.account_id
        """,
    ),
    Proof(
        "transfer_touches_the_wallet_it_names",
        "I2",
        "SELECT COUNT(*) FROM ledger_transfers t WHERE t.account_id IS NOT NULL AND @wallet(t.account_id)",
        """
        SELECT 'transfer ' || t.id || ' (' || t.name || ') moves ' || t.from_account || ' to '
            || t.to_account || ', not wallet ' || COALESCE(t.account_id, 'of nobody')
        FROM ledger_transfers t
        WHERE (t.account_id IS NULL OR @wallet(t.account_id)) AND @fresh(t.id) AND
            CASE WHEN t.from_account LIKE 'wallet:%' THEN 1 ELSE 0 END
            + CASE WHEN t.to_account LIKE 'wallet:%' THEN 1 ELSE 0 END
            <> CASE WHEN t.account_id IS NULL THEN 0
                WHEN t.from_account LIKE 'wallet:' || t.account_id || ':%' THEN 1
                WHEN t.to_account LIKE 'wallet:' || t.account_id || ':%' THEN 1 ELSE 9 END
        ORDER BY t.id
        """,
    ),
    Proof(
        "transfers_have_no_gap",
        "I2",
        "SELECT COUNT(*) FROM ledger_transfers WHERE account_id IS NOT NULL AND @wallet(account_id)",
        """
        SELECT 'wallet ' || account_id || ': transfer number ' || CAST(place AS TEXT) || ' is missing'
        FROM (@running) r WHERE wallet_version <> place
        UNION ALL
        SELECT 'wallet ' || w.account_id || ' counts ' || CAST(w.version AS TEXT) || ' transfers and has '
            || CAST(COUNT(t.id) AS TEXT)
        FROM wallets w LEFT JOIN ledger_transfers t ON t.account_id = w.account_id
        WHERE @wallet(w.account_id)
        GROUP BY w.account_id, w.version HAVING COUNT(t.id) <> w.version
        """,
    ),
    Proof(
        "running_balance_adds_up",
        "I2",
        "SELECT COUNT(*) FROM ledger_transfers WHERE account_id IS NOT NULL AND @wallet(account_id)",
        """
        SELECT 'transfer ' || id || ' (' || name || ') leaves ' || CAST(wallet_after_fen AS TEXT)
            || ' fen; the transfers up to it make ' || CAST(computed_fen AS TEXT)
        FROM (@running) r WHERE wallet_after_fen <> computed_fen
        ORDER BY account_id, wallet_version
        """,
    ),
    Proof(
        "transfer_is_between_known_accounts",
        "I2",
        "SELECT COUNT(*) FROM ledger_transfers t WHERE @fresh(t.id)",
        """
        SELECT 'transfer ' || t.id || ' (' || t.name || ') is between ' || t.from_account || ' and '
            || t.to_account || ': one of them, or wallet ' || COALESCE(t.account_id, 'of nobody')
            || ', is not there'
        FROM ledger_transfers t
        LEFT JOIN ledger_accounts f ON f.id = t.from_account
        LEFT JOIN ledger_accounts i ON i.id = t.to_account
        LEFT JOIN wallets w ON w.account_id = t.account_id
        WHERE @fresh(t.id)
            AND (f.id IS NULL OR i.id IS NULL OR (t.account_id IS NOT NULL AND w.account_id IS NULL))
        ORDER BY t.id
        """,
    ),
    Proof(
        "available_not_negative",
        "I3",
        "SELECT COUNT(*) FROM wallets WHERE @wallet(account_id)",
        """
        SELECT 'wallet ' || account_id || ' holds ' || CAST(held_fen AS TEXT) || ' of '
            || CAST(principal_fen + bonus_fen AS TEXT) || ' fen'
        FROM wallets
        WHERE @wallet(account_id) AND (principal_fen < 0 OR bonus_fen < 0 OR held_fen < 0
            OR held_fen > principal_fen + bonus_fen)
        ORDER BY account_id
        """,
    ),
    Proof(
        "held_is_sum_of_live_holds",
        "I2",
        "SELECT COUNT(*) FROM holds WHERE state = 'live' AND @wallet(account_id)",
        """
        SELECT 'wallet ' || w.account_id || ' has ' || CAST(w.held_fen AS TEXT)
            || ' fen held; its live holds are '
            || CAST(COALESCE(h.live_fen, 0) AS TEXT)
        FROM wallets w
        LEFT JOIN (SELECT account_id, SUM(amount_fen) AS live_fen FROM holds
            WHERE state = 'live' AND @wallet(account_id) GROUP BY account_id) h
            ON h.account_id = w.account_id
        WHERE @wallet(w.account_id) AND w.held_fen <> COALESCE(h.live_fen, 0)
        ORDER BY w.account_id
        """,
    ),
)

RECHARGE: tuple[Proof, ...] = (
    Proof(
        "paid_order_is_credited_once",
        "I5",
        "SELECT COUNT(*) FROM recharge_orders WHERE @wallet(account_id)",
        """
        SELECT 'order ' || o.id || ' is ' || o.state || ' over ' || CAST(o.amount_fen AS TEXT)
            || ' fen; credited were '
            || CAST(COALESCE(t.credited_fen, 0) AS TEXT)
        FROM recharge_orders o
        LEFT JOIN (SELECT recharge_order_id, SUM(amount_fen) AS credited_fen FROM transfers
            WHERE kind = 'recharge' AND @wallet(account_id)
            GROUP BY recharge_order_id) t ON t.recharge_order_id = o.id
        WHERE @wallet(o.account_id)
            AND COALESCE(t.credited_fen, 0) <> CASE o.state WHEN 'paid' THEN o.amount_fen ELSE 0 END
        ORDER BY o.id
        """,
    ),
    Proof(
        "payment_is_booked",
        "I5",
        "SELECT COUNT(*) FROM channel_payments WHERE @since(recorded_at)",
        """
        SELECT 'payment ' || p.channel || '/' || p.channel_txn_id || ' was ' || p.outcome
            || ', but is not booked'
        FROM channel_payments p
        LEFT JOIN transfers t ON t.name = CASE p.outcome WHEN 'applied' THEN 'recharge:' || p.order_id
            ELSE 'suspense:' || p.channel || '/' || p.channel_txn_id END
        WHERE @since(p.recorded_at) AND (t.id IS NULL OR t.amount_fen <> p.amount_fen
            OR t.recorded_at <> p.recorded_at)
        ORDER BY p.channel, p.channel_txn_id
        """,
    ),
)
