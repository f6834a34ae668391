"""What must hold of each row of a wallet, in the words of either database.

SQLite has it as CHECKs. PostgreSQL reads the text of every CHECK anew for each statement, and looks at the
condition of a trigger the same way: there it is one trigger, compiled once, which costs half of that.
"""

from __future__ import annotations

# Name, and what must hold; {} stands before each column.
RULES = (
    ("not_negative", "{0}principal_fen >= 0 AND {0}bonus_fen >= 0 AND {0}held_fen >= 0"),
    ("available_not_negative", "{0}principal_fen + {0}bonus_fen - {0}held_fen >= 0"),
    ("version_not_negative", "{0}version >= 0"),
)
NEVER_BACK = "a wallet never goes back"


def checks() -> list[tuple[str, str]]:
    """Name and condition of each CHECK."""
    return [(name, rule.format("")) for name, rule in RULES]


def postgresql() -> list[str]:
    """The function and the trigger of PostgreSQL; a new row has no version before it."""
    new = [(name, rule.format("NEW.")) for name, rule in RULES]
    which = " ".join(f"WHEN NOT ({rule}) THEN '{name}'" for name, rule in new)
    return [
        "CREATE FUNCTION platepay_wallets_hold_together() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF {' AND '.join(rule for _, rule in new)} AND NEW.version >= COALESCE(OLD.version, 0)"
        " THEN RETURN NEW; END IF; RAISE EXCEPTION USING ERRCODE = 'check_violation', "
        f"MESSAGE = 'wallets: ' || CASE {which} ELSE '{NEVER_BACK}' END; END $$",
        "CREATE TRIGGER wallets_hold_together BEFORE INSERT OR UPDATE ON wallets"
        " FOR EACH ROW EXECUTE FUNCTION platepay_wallets_hold_together()",
    ]
