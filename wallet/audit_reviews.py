"""Proofs of reviews: who decided, that two agreed where two were needed, and that it moved what it says."""

from __future__ import annotations

from wallet.audit_sql import Proof

REVIEWS: tuple[Proof, ...] = (
    Proof(
        "closed_review_has_its_end",
        "I5",
        "SELECT COUNT(*) FROM reviews r WHERE r.state = 'closed' AND @since(r.closed_at)",
        """
        SELECT 'review ' || r.id || ' is ' || r.state || '; its end is ' || COALESCE(e.ended_as, 'not there')
        FROM reviews r LEFT JOIN review_ends e ON e.review_id = r.id
        WHERE (r.state = 'closed') <> (e.review_id IS NOT NULL) AND @since(r.created_at)
        UNION ALL
        SELECT 'review ' || e.review_id || ' was decided by an answer to another' FROM review_ends e
        LEFT JOIN review_answers a ON a.id = e.answer_id AND a.review_id = e.review_id
        WHERE e.answer_id IS NOT NULL AND a.id IS NULL AND @since(e.recorded_at)
        """,
    ),
    Proof(
        "two_people_agreed",
        "I6",
        "SELECT COUNT(*) FROM review_ends e WHERE e.first_answer_id IS NOT NULL AND @since(e.recorded_at)",
        """
        SELECT 'review ' || e.review_id || ' was decided by ' || a.answered_by || ' and '
            || COALESCE(f.answered_by, 'nobody') || ', who do not agree or are one'
        FROM review_ends e JOIN review_answers a ON a.id = e.answer_id
        LEFT JOIN review_answers f ON f.id = e.first_answer_id AND f.review_id = e.review_id
        WHERE e.first_answer_id IS NOT NULL AND @since(e.recorded_at) AND (
            f.id IS NULL OR f.answered_by = a.answered_by OR f.action <> a.action
            OR COALESCE(f.plate, '') <> COALESCE(a.plate, ''))
        """,
    ),
    Proof(
        "review_moved_what_it_says",
        "I6",
        "SELECT COUNT(*) FROM review_ends e WHERE e.moved_fen > 0 AND @since(e.recorded_at)",
        """
        SELECT 'review ' || e.review_id || ' says ' || e.ended_as || ' of ' || CAST(e.moved_fen AS TEXT)
            || ' fen; taken were ' || CAST(COALESCE(c.amount_fen, 0) AS TEXT) || ', given back '
            || CAST(COALESCE(r.amount_fen, 0) AS TEXT)
        FROM review_ends e LEFT JOIN captures c ON c.visit_id = e.visit_id AND c.account_id = e.account_id
        LEFT JOIN refunds r ON r.id = e.refund_id AND r.visit_id = e.visit_id AND r.kind = 'reversal'
        WHERE @since(e.recorded_at) AND e.moved_fen <> CASE
            WHEN e.ended_as = 'reversed' THEN COALESCE(r.amount_fen, 0)
            WHEN e.ended_as IN ('sale_settled', 'settled_elsewhere') THEN COALESCE(c.amount_fen, 0)
            WHEN e.ended_as = 'visit_opened' AND e.moved_fen > 0 THEN COALESCE(c.amount_fen, 0)
            ELSE 0 END
        """,
    ),
)
