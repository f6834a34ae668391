"""What a proof is: one rule as SQL, over everything or over what was touched since the last proof.

The macros in a proof's SQL are `@wallet(column)`, `@visit(column)`, `@fresh(column)` (the id of a transfer),
`@command(column)` (the id of a command) and `@since(column)` (a time): over everything each is true.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import TextClause, bindparam, text

from wallet.columns import UtcTime


@dataclass(frozen=True, slots=True)
class Proof:
    """`rows` counts what the rule covers, `bad` lists what breaks it as one column of text.

    rule: which of the invariants I1 to I7 of docs/money.md it belongs to.
    whole: only an audit from scratch can say.
    """

    name: str
    rule: str
    rows: str
    bad: str
    whole: bool = False


_FOLD = "SELECT ledger_account, SUM(amount_fen) AS folded_fen FROM entries GROUP BY ledger_account"

# The same for sides of wallets only, which an incremental audit finds by the index of each wallet.
_SIDES = """
    SELECT account_id,
        SUM(CASE WHEN to_account LIKE '%:principal' THEN amount_fen
                 WHEN from_account LIKE '%:principal' THEN -amount_fen ELSE 0 END) AS principal_fen,
        SUM(CASE WHEN to_account LIKE '%:bonus' THEN amount_fen
                 WHEN from_account LIKE '%:bonus' THEN -amount_fen ELSE 0 END) AS bonus_fen
    FROM ledger_transfers WHERE account_id IS NOT NULL AND @wallet(account_id) GROUP BY account_id
"""

# The total of a wallet after each of its transfers, from the transfers alone.
_RUNNING = """
    SELECT id, name, account_id, wallet_version, wallet_after_fen,
           SUM(CASE WHEN to_account LIKE 'wallet:%' THEN amount_fen ELSE -amount_fen END)
               OVER (PARTITION BY account_id ORDER BY wallet_version) AS computed_fen,
           ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY wallet_version) AS place
    FROM ledger_transfers WHERE account_id IS NOT NULL AND @wallet(account_id)
"""

# How much of each part of a wallet some transfers moved.
_PARTS = """
    SUM(CASE WHEN t.from_account LIKE '%:bonus' OR t.to_account LIKE '%:bonus' THEN t.amount_fen ELSE 0 END)
        AS bonus_fen,
    SUM(CASE WHEN t.from_account LIKE '%:principal' OR t.to_account LIKE '%:principal' THEN t.amount_fen
        ELSE 0 END) AS principal_fen
"""

_MACRO = re.compile(r"@(wallet|visit|fresh|command|since)\(([^()]*)\)")
_TOUCHED = {
    "wallet": "SELECT id FROM touched_rows WHERE kind = 'wallet'",
    "visit": "SELECT id FROM touched_rows WHERE kind = 'visit'",
    "fresh": "SELECT id FROM touched_rows WHERE kind = 'transfer'",
    "command": "SELECT id FROM touched_rows WHERE kind = 'command'",
}


def statement(sql: str, since: datetime | None) -> TextClause:
    """The SQL of a proof, over everything (since: None) or over what `touched_rows` lists."""
    for name, part in (("@fold", _FOLD), ("@sides", _SIDES), ("@running", _RUNNING), ("@parts", _PARTS)):
        sql = sql.replace(name, part)
    # A colon in it is not a parameter.
    sql = sql.replace(":", "\\:")
    if since is None:
        return text(_MACRO.sub("1 = 1", sql))
    written = text(_MACRO.sub(_limited, sql))
    return written.bindparams(bindparam("since", since, UtcTime)) if ":since" in written.text else written


def _limited(found: re.Match[str]) -> str:
    macro, column = found.groups()
    if macro == "since":
        return f"{column} >= :since"
    return f"{column} IN ({_TOUCHED[macro]})"
