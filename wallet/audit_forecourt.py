"""Proofs of the forecourt: visits, holds, captures, sales, sightings."""

from __future__ import annotations

from wallet.audit_sql import Proof

FORECOURT: tuple[Proof, ...] = (
    Proof(
        "one_hold_per_visit",
        "I4",
        "SELECT COUNT(*) FROM visits WHERE @visit(id)",
        """
        SELECT 'visit ' || v.id || ' has ' || CAST(COUNT(h.id) AS TEXT) || ' holds'
        FROM visits v LEFT JOIN holds h ON h.visit_id = v.id
        WHERE @visit(v.id) GROUP BY v.id HAVING COUNT(h.id) <> 1 ORDER BY v.id
        """,
    ),
    Proof(
        "visit_fits_its_hold",
        "I4",
        "SELECT COUNT(*) FROM visits WHERE @visit(id)",
        """
        SELECT 'visit ' || v.id || ' is ' || v.state || ', its hold ' || h.id || ' is ' || h.state
        FROM visits v JOIN holds h ON h.visit_id = v.id
        WHERE @visit(v.id) AND (h.account_id <> v.account_id
            OR h.state <> CASE v.state WHEN 'open' THEN 'live' ELSE v.state END)
        ORDER BY v.id
        """,
    ),
    Proof(
        "one_capture_per_sale_and_visit",
        "I4",
        "SELECT COUNT(*) FROM captures WHERE @visit(visit_id)",
        """
        SELECT 'sale ' || station || '/' || sale_id || ' is captured ' || CAST(COUNT(*) AS TEXT) || ' times'
        FROM captures c WHERE @visit(c.visit_id) GROUP BY station, sale_id HAVING COUNT(*) > 1
        UNION ALL
        SELECT 'visit ' || visit_id || ' is captured ' || CAST(COUNT(*) AS TEXT) || ' times'
        FROM captures c WHERE @visit(c.visit_id) GROUP BY visit_id HAVING COUNT(*) > 1
        UNION ALL
        SELECT 'visit ' || v.id || ' is captured, but nothing was taken' FROM visits v
        WHERE @visit(v.id) AND v.state = 'captured'
            AND NOT EXISTS (SELECT 1 FROM captures c WHERE c.visit_id = v.id)
        """,
    ),
    Proof(
        "capture_within_hold",
        "I4",
        "SELECT COUNT(*) FROM captures WHERE @visit(visit_id)",
        """
        SELECT 'capture of visit ' || c.visit_id || ' took ' || CAST(c.amount_fen AS TEXT)
            || ' fen; its hold '
            || h.id || ' was ' || CAST(h.amount_fen AS TEXT) || ' and says ' || CAST(h.captured_fen AS TEXT)
        FROM captures c JOIN holds h ON h.id = c.hold_id
        WHERE @visit(c.visit_id) AND (c.amount_fen > h.amount_fen OR c.amount_fen <> h.captured_fen
            OR c.visit_id <> h.visit_id OR c.account_id <> h.account_id OR h.state <> 'captured')
        ORDER BY c.visit_id
        """,
    ),
    Proof(
        "capture_is_transferred",
        "I2",
        "SELECT COUNT(*) FROM transfers t WHERE t.kind = 'capture' AND @visit(t.visit_id)",
        """
        SELECT 'capture of visit ' || c.visit_id || ' is ' || CAST(c.bonus_fen AS TEXT) || ' + '
            || CAST(c.principal_fen AS TEXT) || ' fen; its transfers move '
            || CAST(COALESCE(t.bonus_fen, 0) AS TEXT) || ' + ' || CAST(COALESCE(t.principal_fen, 0) AS TEXT)
        FROM captures c
        LEFT JOIN (SELECT visit_id, @parts FROM transfers t WHERE kind = 'capture' AND @visit(t.visit_id)
                   GROUP BY visit_id) t ON t.visit_id = c.visit_id
        WHERE @visit(c.visit_id) AND (c.bonus_fen <> COALESCE(t.bonus_fen, 0)
            OR c.principal_fen <> COALESCE(t.principal_fen, 0)
            OR c.amount_fen <> COALESCE(t.bonus_fen, 0) + COALESCE(t.principal_fen, 0))
        UNION ALL
        SELECT 'transfer ' || t.id || ' (' || t.name || ') belongs to no capture' FROM transfers t
        LEFT JOIN captures c ON c.visit_id = t.visit_id AND c.station = t.station AND c.sale_id = t.sale_id
            AND c.account_id = t.account_id AND c.captured_at = t.recorded_at
            AND t.to_account = 'revenue:' || c.station
        WHERE t.kind = 'capture' AND (t.visit_id IS NULL OR @visit(t.visit_id)) AND c.visit_id IS NULL
            AND @fresh(t.id)
        """,
    ),
    Proof(
        "void_moved_nothing",
        "I6",
        "SELECT COUNT(*) FROM visits WHERE state = 'voided' AND @visit(id)",
        """
        SELECT 'visit ' || v.id || ' was voided, but transfer ' || t.id || ' (' || t.name || ') moved money'
        FROM visits v JOIN transfers t ON t.visit_id = v.id AND t.account_id = v.account_id
        WHERE v.state = 'voided' AND @visit(v.id) AND @fresh(t.id)
        ORDER BY v.id
        """,
    ),
    Proof(
        "sale_fits_its_capture",
        "I4",
        "SELECT COUNT(*) FROM sales WHERE @visit(visit_id)",
        """
        SELECT 'sale ' || s.station || '/' || s.sale_id || ' is ' || s.state || ' with '
            || CAST(s.captured_fen AS TEXT) || ' fen; captured were '
                || CAST(COALESCE(c.amount_fen, 0) AS TEXT)
        FROM sales s LEFT JOIN captures c ON c.station = s.station AND c.sale_id = s.sale_id
        WHERE @visit(s.visit_id) AND (s.captured_fen <> COALESCE(c.amount_fen, 0)
            OR s.captured_fen > s.amount_fen OR (c.visit_id IS NOT NULL AND c.visit_id <> s.visit_id))
        ORDER BY s.station, s.sale_id
        """,
    ),
    Proof(
        "sale_for_review_is_in_the_queue",
        "I5",
        "SELECT COUNT(*) FROM sales WHERE @visit(visit_id) AND "
        "(state = 'review' OR (state = 'captured' AND captured_fen < amount_fen))",
        """
        SELECT 'sale ' || s.station || '/' || s.sale_id || ' needs a person, but is not in the queue'
            FROM sales s
        WHERE @visit(s.visit_id)
            AND (s.state = 'review' OR (s.state = 'captured' AND s.captured_fen < s.amount_fen))
            AND NOT EXISTS (SELECT 1 FROM reviews r WHERE r.station = s.station AND r.sale_id = s.sale_id)
        ORDER BY s.station, s.sale_id
        """,
    ),
    Proof(
        "sighting_has_its_match",
        "I5",
        "SELECT COUNT(*) FROM sightings WHERE @since(recorded_at)",
        """
        SELECT 'sighting ' || s.id || ' has no match' FROM sightings s
        LEFT JOIN matches m ON m.sighting_id = s.id WHERE m.sighting_id IS NULL AND @since(s.recorded_at)
        ORDER BY s.id
        """,
    ),
    Proof(
        "match_fits_its_visit",
        "I5",
        "SELECT COUNT(*) FROM matches WHERE @since(decided_at)",
        """
        SELECT 'sighting ' || m.sighting_id || ' (' || m.outcome || ') does not fit visit ' || v.id
        FROM matches m JOIN visits v ON v.id = m.visit_id
        WHERE @since(m.decided_at)
            AND (m.outcome <> 'auto' OR m.account_id <> v.account_id OR m.plate <> v.plate)
        ORDER BY m.sighting_id
        """,
    ),
)
