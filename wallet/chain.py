"""The hash chain over the ledger's rows, as arithmetic: canonical rows, hashes of blocks, signatures.

A block seals rows in a fixed order. Its hash covers the hash of each row and the hash of the block before, so
no sealed row can be changed, taken out or put in between without a hash that does not fit. The signature says
that this service sealed it: whoever can write to the database but has not the secret cannot make another.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

GENESIS = "0" * 64
FORMAT = 4
_WINDOW = timedelta(seconds=300)

_FIRST: Mapping[str, tuple[str, ...]] = {
    "transfers": (
        "id",
        "name",
        "kind",
        "from_account",
        "to_account",
        "amount_fen",
        "account_id",
        "wallet_version",
        "wallet_after_fen",
        "visit_id",
        "station",
        "sale_id",
        "recharge_order_id",
        "recorded_at",
        "charge_id",
        "refund_id",
        "adjustment_id",
        "reverses_id",
    ),
    "charges": (
        "id",
        "account_id",
        "station",
        "purpose",
        "amount_fen",
        "bonus_fen",
        "principal_fen",
        "charged_at",
    ),
    "refunds": (
        "id",
        "kind",
        "visit_id",
        "charge_id",
        "account_id",
        "number",
        "amount_fen",
        "bonus_fen",
        "principal_fen",
        "refunded_fen",
        "debited_fen",
        "reason",
        "recorded_at",
    ),
    "adjustments": (
        "id",
        "account_id",
        "part",
        "change_fen",
        "reason",
        "proposed_by",
        "recorded_at",
    ),
    "adjustment_decisions": (
        "id",
        "adjustment_id",
        "proposed_by",
        "decided_by",
        "decision",
        "recorded_at",
    ),
    "commands": (
        "id",
        "scope",
        "idempotency_key",
        "body_hash",
        "outcome",
        "code",
        "answer",
        "actor",
        "recorded_at",
    ),
}

# Charges in one row.
_SECOND: Mapping[str, tuple[str, ...]] = {
    **_FIRST,
    "charges": (
        *_FIRST["charges"],
        "idempotency_key",
        "body_hash",
        "actor",
        "code",
        "said",
        "part",
        "wallet_version",
        "wallet_after_fen",
    ),
}

# Who looked at evidence, and what was erased.
_THIRD: Mapping[str, tuple[str, ...]] = {
    **_SECOND,
    "evidence_reads": ("id", "actor", "operator_id", "kind", "subject", "purpose", "read_at"),
    "erasures": ("id", "kind", "subject", "reason", "actor", "erased", "recorded_at"),
}

# What fees stations agreed to, and what was settled.
_FOURTH: Mapping[str, tuple[str, ...]] = {
    **_THIRD,
    "fee_terms": (
        "id",
        "station",
        "rate_ppm",
        "fixed_fen",
        "valid_from",
        "reason",
        "actor",
        "recorded_at",
    ),
    "fee_settlements": (
        "id",
        "station",
        "number",
        "after_block",
        "to_block",
        "debits",
        "refunds",
        "debited_fen",
        "refunded_fen",
        "fee_fen",
        "latest_at",
        "transfer_id",
        "command_key",
        "actor",
        "recorded_at",
    ),
    "fee_lines": (
        "id",
        "settlement_id",
        "terms_id",
        "debits",
        "refunds",
        "debited_fen",
        "refunded_fen",
        "fee_fen",
    ),
}

# What a row is in a block's hash: a column that a later version adds belongs to a later format.
FORMATS: Mapping[int, Mapping[str, tuple[str, ...]]] = {
    1: _FIRST,
    2: _SECOND,
    3: _THIRD,
    4: _FOURTH,
}


@dataclass(frozen=True, slots=True)
class Seal:
    """One row in a block, with the hash it had when it was sealed."""

    table: str
    row_id: str
    row_hash: str


@dataclass(frozen=True, slots=True)
class Block:
    """One link of the chain. first_transfer, last_transfer: None where it seals other rows only."""

    number: int
    format: int
    row_count: int
    first_transfer: str | None
    last_transfer: str | None
    previous_hash: str
    block_hash: str
    signature: str
    sealed_at: datetime


def row_hash(table: str, values: Sequence[Any]) -> str:
    """SHA-256 (hex) of a row written in one way, whatever database it comes from."""
    return _sha256([table, *map(plain, values)])


def format_of(seals: Sequence[Seal]) -> int:
    """The oldest format that writes these rows as the newest does: versions that know it prove the block."""
    newest = FORMATS[FORMAT]
    used = {seal.table for seal in seals}
    return min(
        number
        for number, written in FORMATS.items()
        if all(written.get(table) == newest[table] for table in used)
    )


def seal_block(previous: Block | None, seals: Sequence[Seal], key: bytes, sealed_at: datetime) -> Block:
    """The next block after `previous` (None: the first), over these rows in their order, signed."""
    moved = [seal.row_id for seal in seals if seal.table == "transfers"]
    block = Block(
        number=1 if previous is None else previous.number + 1,
        format=format_of(seals),
        row_count=len(seals),
        first_transfer=moved[0] if moved else None,
        last_transfer=moved[-1] if moved else None,
        previous_hash=GENESIS if previous is None else previous.block_hash,
        block_hash="",
        signature="",
        sealed_at=sealed_at,
    )
    hashed = block_hash(block, seals)
    return Block(
        block.number,
        block.format,
        block.row_count,
        block.first_transfer,
        block.last_transfer,
        block.previous_hash,
        hashed,
        signature(hashed, key),
        sealed_at,
    )


def block_hash(block: Block, seals: Sequence[Seal]) -> str:
    """SHA-256 (hex) over what the block says of itself and over its rows' hashes; not over its signature."""
    return _sha256(
        [
            block.format,
            block.number,
            block.row_count,
            block.first_transfer,
            block.last_transfer,
            block.previous_hash,
            plain(block.sealed_at),
            [[seal.table, seal.row_id, seal.row_hash] for seal in seals],
        ]
    )


def signature(hashed: str, key: bytes) -> str:
    """HMAC-SHA256 (hex) of a block's hash."""
    return hmac.new(key, hashed.encode(), hashlib.sha256).hexdigest()


def is_signed(block: Block, key: bytes) -> bool:
    """Whether the block's signature was made with this key."""
    return hmac.compare_digest(block.signature, signature(block.block_hash, key))


def window(block: Block) -> str:
    """The smallest id that a row this block does not seal should have.

    An id carries the time it was made, by a clock that is nearly right, and its row is written soon after. A
    row that comes later than that is found when everything is sealed.
    """
    made = block.sealed_at - _WINDOW - datetime.fromtimestamp(0, UTC)
    milliseconds, _ = divmod(made, timedelta(milliseconds=1))
    written = f"{milliseconds:012x}"
    return f"{written[:8]}-{written[8:]}"


def _sha256(value: Any) -> str:
    written = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(written.encode()).hexdigest()


def plain(value: Any) -> Any:
    """A value of a row as JSON can hold it: a time as text in UTC, to the microsecond."""
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value
