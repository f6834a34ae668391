"""The hash of a request's body, to tell the same request again from another one under the same name."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

# Metadata of a field that came later: a body without it has the hash it always had.
LEFT_OUT_IF_EMPTY = {"left_out_if_empty": True}


def body_hash(body: Any) -> str:
    """SHA-256 (hex) over the body written in one fixed way.

    Accepts dataclasses, mappings, sequences and plain values.
    """
    return hashlib.sha256(canonical(body).encode()).hexdigest()


def canonical(body: Any) -> str:
    """The body as JSON, written in the one way that is hashed."""
    return json.dumps(
        _plain(body), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(given)
            for field in dataclasses.fields(value)
            if (given := getattr(value, field.name)) or not field.metadata.get("left_out_if_empty")
        }
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
