"""The hash of a request's body, to tell the same request again from another one under the same name."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec

# Metadata of a field that came later: a body without it has the hash it always had.
LEFT_OUT_IF_EMPTY = {"left_out_if_empty": True}
_PLAIN = frozenset({str, int, bool, type(None)})


def body_hash(body: Any) -> str:
    """SHA-256 (hex) over the body written in one fixed way.

    Accepts dataclasses, mappings, sequences and plain values.
    """
    written = _written_fast(body)
    return hashlib.sha256(canonical(body).encode() if written is None else written).hexdigest()


def _written_fast(body: Any) -> bytes | None:
    """The same bytes for a dataclass or a mapping of plain values, times in a dataclass, and tuples of plain
    values; None for others."""
    if type(body) is dict:
        return _mapping_fast(body)
    if not dataclasses.is_dataclass(body) or isinstance(body, type):
        return None
    fields: dict[str, Any] = {}
    for name, optional in _sorted_names(type(body)):
        given = getattr(body, name)
        if optional and not given:
            continue
        if type(given) is datetime:
            given = (given if given.tzinfo is UTC else given.astimezone(UTC)).isoformat()
        elif not _is_plain(given):
            return None
        fields[name] = given
    return _encoded(fields)


def _mapping_fast(body: dict[Any, Any]) -> bytes | None:
    """A name that is no text, and a value that is not plain, make it None."""
    for name, given in body.items():
        if type(name) is not str or not _is_plain(given):
            return None
    return _encoded(body)


def _encoded(fields: dict[str, Any]) -> bytes | None:
    try:
        return _encode(fields)
    except (OverflowError, UnicodeError, TypeError):
        return None


def _is_plain(value: Any) -> bool:
    """Whether the two ways write it alike: text, whole numbers, truth, nothing, and tuples of them."""
    kind = type(value)
    return kind in _PLAIN or (kind is tuple and all(map(_is_plain, value)))


def canonical(body: Any) -> str:
    """The body as JSON, written in the one way that is hashed."""
    return _write(_fields(body) if dataclasses.is_dataclass(body) and not isinstance(body, type) else body)


@cache
def _sorted_names(kind: Any) -> tuple[tuple[str, bool], ...]:
    return tuple(sorted(_names(kind)))


@cache
def _names(kind: Any) -> tuple[tuple[str, bool], ...]:
    return tuple(
        (field.name, bool(field.metadata.get("left_out_if_empty"))) for field in dataclasses.fields(kind)
    )


def _fields(value: Any) -> dict[str, Any]:
    kind: Any = type(value)
    return {name: given for name, optional in _names(kind) if (given := getattr(value, name)) or not optional}


def _plain(value: Any) -> Any:
    """What JSON has no word for."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _fields(value)
    raise TypeError(f"{value!r} cannot stand in a body")


# In the order of their names.
_encode = msgspec.json.Encoder(order="deterministic").encode

# Names that are no text become text here too, as 1 becomes "1".
_write = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain
).encode
