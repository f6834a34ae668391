"""Whether the items of a pack agree with each other: pictures with sightings, rows with the ledger's chain.

These hold even against whoever signed the pack: a row that is not as it was sealed no longer fits its block.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from wallet import chain as ledger
from wallet.chain import Block, Seal

LEDGER = "ledger.json"
BLOCKS = "ledger-blocks.json"


def contradictions(files: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """(item, what it contradicts) for everything in the pack that does not fit together."""
    read = {name: json.loads(content) for name, content in files.items() if name.endswith(".json")}
    return [*_pictures(read, files), *_sealed(read)]


def _pictures(read: Mapping[str, Any], files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """Pictures that are whole bear the hash that the sighting gave them when it was made."""
    named = {item["name"]: item for item in read["manifest.json"]["items"]}
    for name, item in named.items():
        about = item["about"]
        sighting = read.get(str(about.get("sighting")))
        if sighting is None or "evidence" not in about:
            continue
        bound = sighting["row"][f"evidence_{about['evidence']}"]
        is_whole = not about.get("blurred")
        if bound != about.get("original_sha256") or (is_whole and bound != item["sha256"]):
            yield name, "is not the picture that the sighting was bound to"
        if name not in files:
            yield name, "is missing"


def _sealed(read: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    rows = read.get(LEDGER, {})
    by_id = {(table, row["id"]): row for table in ("transfers", "refunds") for row in rows.get(table, ())}
    for block in read.get(BLOCKS, ()):
        seals = [Seal(*seal) for seal in block["seals"]]
        if ledger.block_hash(_block(block), seals) != block["block_hash"]:
            yield BLOCKS, f"block {block['number']} does not fit its hash"
        for seal in seals:
            row = by_id.get((seal.table, seal.row_id))
            if row is not None and _row_hash(seal.table, row, block["columns"][seal.table]) != seal.row_hash:
                yield LEDGER, f"row {seal.row_id} of {seal.table} is not as block {block['number']} sealed it"


def _block(row: Mapping[str, Any]) -> Block:
    return Block(
        number=row["number"],
        format=row["format"],
        row_count=row["row_count"],
        first_transfer=row["first_transfer"],
        last_transfer=row["last_transfer"],
        previous_hash=row["previous_hash"],
        block_hash=row["block_hash"],
        signature=row["signature"],
        sealed_at=datetime.fromisoformat(row["sealed_at"]),
    )


def _row_hash(table: str, row: Mapping[str, Any], columns: list[str]) -> str:
    # Times are written in the pack as they are hashed: ISO 8601 in UTC with microseconds.
    return ledger.row_hash(table, [row[column] for column in columns])
