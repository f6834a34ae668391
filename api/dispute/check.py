"""The verifier: looks at the bytes of a pack alone and names what is not as it was signed.

It needs no database, no configuration and no network.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

from api.dispute import chain, contents
from api.dispute.chain import FORMAT, MANIFEST
from api.dispute.signing import is_signed, key_id

Found = dict[str, bytes | None]
# What reading a zip raises, depending on which of its bytes is wrong.
BROKEN_ZIP = (
    zipfile.BadZipFile,
    NotImplementedError,
    ValueError,
    struct.error,
    OverflowError,
    EOFError,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong. code: changed, dropped, added, renamed, reordered, forged or unreadable."""

    code: str
    item: str
    says: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What the verifier found. key: the public key that the pack names; key_was_given: it was compared."""

    problems: tuple[Problem, ...]
    items: int = 0
    key: str | None = None
    key_was_given: bool = False
    header: dict[str, Any] | None = None

    @property
    def ok(self) -> bool:
        """Whether everything is as it was signed."""
        return not self.problems


def check_pack(data: bytes, public_key: str | None = None) -> Checked:
    """Everything that is wrong with a pack, in the order of its items.

    public_key: of the service, in hex; without it the key inside the pack is used, which only shows that
    whoever made the pack has not changed it since.
    """
    try:
        names, found = _read(data)
    except BROKEN_ZIP as error:
        return Checked((Problem("unreadable", "the file", f"is no zip that can be read: {error}"),))
    manifest = _manifest(found.get(MANIFEST))
    if isinstance(manifest, Problem):
        return Checked((manifest,))
    header, links = manifest["header"], manifest["items"]
    key = str(header.get("public_key"))
    problems = [
        *_signature_problems(manifest, public_key or key, key),
        *_chain_problems(header, links, str(manifest["head"])),
        *_item_problems(names, found, links),
    ]
    if not problems:
        files = [(name, content) for name in names if (content := found[name]) is not None]
        problems = [*_container_problems(data, files), *_content_problems(found)]
    return Checked(tuple(problems), len(links), key, public_key is not None, header)


def _read(data: bytes) -> tuple[list[str], Found]:
    """The names in the order they stand in the file, and the contents; None where one cannot be read."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
        found: Found = {}
        for entry in entries:
            try:
                found[entry.filename] = archive.read(entry)
            except (*BROKEN_ZIP, zlib.error, RuntimeError):
                found[entry.filename] = None
        return [entry.filename for entry in entries], found


def _manifest(content: bytes | None) -> dict[str, Any] | Problem:
    if content is None:
        return Problem("dropped", MANIFEST, "is not in the pack, or cannot be read")
    try:
        manifest = json.loads(content)
        version = manifest["header"]["format"]
        links = [
            (link["name"], link["size"], link["sha256"], link["about"], link["hash"])
            for link in manifest["items"]
        ]
        complete = (
            isinstance(manifest["head"], str) and isinstance(manifest["signature"], str) and bool(links)
        )
    except (ValueError, KeyError, TypeError):
        return Problem("changed", MANIFEST, "is no manifest any more")
    if version != FORMAT or not complete:
        return Problem("unreadable", MANIFEST, f"has the format {version!r}; this verifier knows {FORMAT}")
    if content != chain.readable(manifest):
        return Problem("changed", MANIFEST, "is not written as the service writes it")
    return dict(manifest)


def _signature_problems(manifest: dict[str, Any], key: str, named: str) -> list[Problem]:
    text = chain.signed_text(manifest["header"], str(manifest["head"]))
    if is_signed(text, str(manifest["signature"]), key):
        return []
    if key != named:
        says = f"is signed by the key {key_id(named)}, not by the one that was given ({key_id(key)})"
    else:
        says = "has a signature that does not fit: its header, head or signature was changed"
    return [Problem("forged", MANIFEST, says)]


def _chain_problems(header: dict[str, Any], links: list[dict[str, Any]], head: str) -> list[Problem]:
    previous = chain.first_hash(header)
    for place, link in enumerate(links, start=1):
        wanted = chain.link_hash(previous, link["name"], link["size"], link["sha256"], link["about"])
        if link["hash"] != wanted:
            says = (
                f"does not follow the line before it in the manifest (line {place}): one of both was changed"
            )
            return [Problem("changed", str(link["name"]), f"{says}, dropped, added or moved")]
        previous = str(link["hash"])
    if previous != head:
        says = "is the last line of the manifest, but not the last that was signed: lines were cut off"
        return [Problem("dropped", str(links[-1]["name"]), says)]
    return []


def _item_problems(names: list[str], found: Found, links: list[dict[str, Any]]) -> list[Problem]:
    wanted = [MANIFEST, *(str(link["name"]) for link in links)]
    problems = [
        Problem("added", name, f"stands in the pack {count} times")
        for name, count in Counter(names).items()
        if count > 1 and name in wanted
    ]
    strange = [name for name in dict.fromkeys(names) if name not in wanted]
    by_hash = {chain.sha256_of(content): name for name in strange if (content := found[name]) is not None}
    for link in links:
        name = str(link["name"])
        content = found.get(name)
        if name in found:
            if content is None or len(content) != link["size"] or chain.sha256_of(content) != link["sha256"]:
                problems.append(Problem("changed", name, "is not what was signed"))
        elif (other := by_hash.get(link["sha256"])) is not None:
            strange.remove(other)
            problems.append(Problem("renamed", name, f"stands in the pack as {other}"))
        else:
            problems.append(Problem("dropped", name, "was signed, and is not in the pack"))
    problems += [Problem("added", name, "was not signed") for name in strange]
    return problems or _order_problems(names, wanted)


def _order_problems(names: list[str], wanted: list[str]) -> list[Problem]:
    for place, (name, other) in enumerate(zip(names, wanted, strict=True), start=1):
        if name != other:
            where = wanted.index(name) + 1
            return [Problem("reordered", name, f"stands at place {place}, and was signed at place {where}")]
    return []


def _container_problems(data: bytes, files: list[tuple[str, bytes]]) -> list[Problem]:
    if chain.zip_of(files) == data:
        return []
    return [Problem("changed", "the file", "has bytes that belong to no item")]


def _content_problems(found: Found) -> list[Problem]:
    files = {name: content for name, content in found.items() if content is not None}
    return [Problem("changed", name, says) for name, says in contents.contradictions(files)]
