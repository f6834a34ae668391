"""The functions of PostgreSQL as version 0003 made them; wallet/charge_functions.py says what they are for.

They stay as they are here: who changes them there writes a migration that replaces them.
"""

from __future__ import annotations

_ONE = """
CREATE FUNCTION platepay_charge(p_id text, p_key text, p_body_hash text, p_account text, p_station text,
    p_purpose text, p_amount bigint, p_actor text, p_now timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_bonus boolean;
    v_after bigint;
    v_version bigint;
BEGIN
    UPDATE wallets w SET version = w.version + 1,
            principal_fen = w.principal_fen - CASE WHEN w.bonus_fen = 0 THEN p_amount ELSE 0 END,
            bonus_fen = w.bonus_fen - CASE WHEN w.bonus_fen = 0 THEN 0 ELSE p_amount END
        WHERE w.account_id = p_account AND w.principal_fen + w.bonus_fen - w.held_fen >= p_amount
            AND (w.bonus_fen = 0 OR w.bonus_fen > p_amount)
        RETURNING w.bonus_fen > 0, w.principal_fen + w.bonus_fen, w.version INTO v_bonus, v_after, v_version;
    IF NOT FOUND THEN RETURN NULL; END IF;
    INSERT INTO charges (id, account_id, station, purpose, amount_fen, bonus_fen, principal_fen, charged_at,
            idempotency_key, body_hash, actor, part, wallet_version, wallet_after_fen)
        SELECT p_id, p_account, p_station, p_purpose, p_amount, CASE WHEN v_bonus THEN p_amount ELSE 0 END,
            CASE WHEN v_bonus THEN 0 ELSE p_amount END, p_now, p_key, p_body_hash, p_actor,
            CASE WHEN v_bonus THEN 'bonus' ELSE 'principal' END, v_version, v_after
        WHERE NOT EXISTS (SELECT FROM commands WHERE scope = 'charge' AND idempotency_key = p_key);
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = 'charges: answered before';
    END IF;
    INSERT INTO outbox (kind, body, created_at)
        VALUES ('charged', ('{"charge_id":' || to_json(p_id) || ',"account_id":' || to_json(p_account)
            || ',"station":' || to_json(p_station) || ',"amount_fen":' || p_amount
            || ',"bonus_fen":' || CASE WHEN v_bonus THEN p_amount ELSE 0 END
            || ',"principal_fen":' || CASE WHEN v_bonus THEN 0 ELSE p_amount END
            || ',"balance_fen":' || v_after || '}')::json, p_now);
    RETURN CASE WHEN v_bonus THEN -1 - v_after ELSE v_after END;
END $$
"""

# Of each wallet (accounts in sorted order, each once): how much all its charges are together, and how many.
# Of each charge: its wallet's place in that list, what the wallet was asked for up to it, its number there.
_MANY = """
CREATE FUNCTION platepay_charges(p_accounts text, p_totals bigint[], p_times bigint[], p_ids text,
    p_keys text, p_body_hashes text, p_places int[], p_stations text, p_purposes text, p_amounts bigint[],
    p_runs bigint[], p_numbers bigint[], p_actors text, p_nows timestamptz[])
    RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    v_accounts text[] := string_to_array(p_accounts, chr(31));
    v_ids text[] := string_to_array(p_ids, chr(31));
    v_stations text[] := string_to_array(p_stations, chr(31));
    v_before bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(v_accounts)]);
    v_version bigint[] := v_before;
    v_bonus boolean[] := array_fill(NULL::boolean, ARRAY[cardinality(v_accounts)]);
    v_expected bigint := 0;
    v_made bigint;
    r record;
BEGIN
    FOR r IN UPDATE wallets w SET version = w.version + t.times,
            principal_fen = w.principal_fen - CASE WHEN w.bonus_fen = 0 THEN t.total ELSE 0 END,
            bonus_fen = w.bonus_fen - CASE WHEN w.bonus_fen = 0 THEN 0 ELSE t.total END
        FROM unnest(v_accounts, p_totals, p_times) WITH ORDINALITY AS t (account, total, times, place)
        WHERE w.account_id = t.account AND w.principal_fen + w.bonus_fen - w.held_fen >= t.total
            AND (w.bonus_fen = 0 OR w.bonus_fen > t.total)
        RETURNING t.place, t.times, w.principal_fen + w.bonus_fen + t.total AS before,
            w.version - t.times AS version, w.bonus_fen > 0 AS bonus
    LOOP
        v_before[r.place] := r.before;
        v_version[r.place] := r.version;
        v_bonus[r.place] := r.bonus;
        v_expected := v_expected + r.times;
    END LOOP;
    INSERT INTO charges (id, account_id, station, purpose, amount_fen, bonus_fen, principal_fen, charged_at,
            idempotency_key, body_hash, actor, part, wallet_version, wallet_after_fen)
        SELECT c.id, v_accounts[c.place], c.station, c.purpose, c.amount,
            CASE WHEN v_bonus[c.place] THEN c.amount ELSE 0 END,
            CASE WHEN v_bonus[c.place] THEN 0 ELSE c.amount END, c.now, c.key, c.body_hash, c.actor,
            CASE WHEN v_bonus[c.place] THEN 'bonus' ELSE 'principal' END,
            v_version[c.place] + c.number, v_before[c.place] - c.run
        FROM unnest(v_ids, string_to_array(p_keys, chr(31)), string_to_array(p_body_hashes, chr(31)),
            p_places, v_stations, string_to_array(p_purposes, chr(31)), p_amounts, p_runs, p_numbers,
            string_to_array(p_actors, chr(31)), p_nows)
            AS c (id, key, body_hash, place, station, purpose, amount, run, number, actor, now)
        WHERE v_before[c.place] IS NOT NULL
            AND NOT EXISTS (SELECT FROM commands o WHERE o.scope = 'charge' AND o.idempotency_key = c.key);
    GET DIAGNOSTICS v_made = ROW_COUNT;
    IF v_made <> v_expected THEN
        RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = 'charges: answered before';
    END IF;
    INSERT INTO outbox (kind, body, created_at)
        SELECT 'charged', ('{"charge_id":' || to_json(c.id) || ',"account_id":'
            || to_json(v_accounts[c.place]) || ',"station":' || to_json(c.station)
            || ',"amount_fen":' || c.amount
            || ',"bonus_fen":' || CASE WHEN v_bonus[c.place] THEN c.amount ELSE 0 END
            || ',"principal_fen":' || CASE WHEN v_bonus[c.place] THEN 0 ELSE c.amount END
            || ',"balance_fen":' || v_before[c.place] - c.run || '}')::json, c.now
        FROM unnest(v_ids, p_places, v_stations, p_amounts, p_runs, p_nows)
            AS c (id, place, station, amount, run, now)
        WHERE v_before[c.place] IS NOT NULL;
    RETURN ARRAY(SELECT CASE WHEN o.bonus THEN -1 - o.before ELSE o.before END
        FROM unnest(v_before, v_bonus) WITH ORDINALITY AS o (before, bonus, place) ORDER BY o.place);
END $$
"""

FUNCTIONS = (_ONE, _MANY)
