"""The pack's form: items in an order, each hash over the item and the one before, in a zip of fixed bytes.

The zip stores its items without compression, with one date and no comment: the same items are the same bytes,
so a verifier can make it again and see that nothing else is in it.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

FORMAT = 1
MANIFEST = "manifest.json"
DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Item:
    """One file of the pack. about: facts the manifest says of it, such as what was blurred."""

    name: str
    content: bytes
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """One line of the manifest."""

    name: str
    size: int
    sha256: str
    about: dict[str, Any]
    hash: str

    def as_dict(self) -> dict[str, Any]:
        """As the manifest writes it."""
        return {
            "name": self.name,
            "size": self.size,
            "sha256": self.sha256,
            "about": self.about,
            "hash": self.hash,
        }


def canonical(value: Any) -> bytes:
    """JSON in UTF-8, written in the one way that is hashed."""
    written = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return written.encode()


def readable(value: Any) -> bytes:
    """JSON in UTF-8 for people, the same bytes for the same value."""
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def sha256_of(content: bytes) -> str:
    """In lower-case hex."""
    return hashlib.sha256(content).hexdigest()


def first_hash(header: dict[str, Any]) -> str:
    """What the first item follows: the hash of what the manifest says of the whole."""
    return sha256_of(canonical(header))


def link_hash(previous: str, name: str, size: int, sha256: str, about: dict[str, Any]) -> str:
    """The hash of an item: over it and over the one before."""
    return sha256_of(canonical([previous, name, size, sha256, about]))


def chained(header: dict[str, Any], items: Sequence[Item]) -> list[Link]:
    """The manifest's lines for these items in this order."""
    links: list[Link] = []
    previous = first_hash(header)
    for item in items:
        sha256 = sha256_of(item.content)
        previous = link_hash(previous, item.name, len(item.content), sha256, item.about)
        links.append(Link(item.name, len(item.content), sha256, item.about, previous))
    return links


def signed_text(header: dict[str, Any], head: str) -> bytes:
    """What the signature is over: the header and the hash of the last item, which covers all before."""
    return b"platepay dispute pack\n" + canonical({"header": header, "head": head})


def zip_of(files: Sequence[tuple[str, bytes]]) -> bytes:
    """The files in this order as a zip of fixed bytes."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name, DATE)
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return written.getvalue()
