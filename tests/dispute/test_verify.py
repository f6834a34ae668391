"""Whatever is done to a pack, the verifier names it: by the bytes of the pack alone."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from api.dispute import chain
from api.dispute.chain import FORMAT, MANIFEST, Item
from api.dispute.check import check_pack
from api.dispute.signing import Signer

ROOT = Path(__file__).parents[2]
SIGNER = Signer(b"s" * 32)
STRANGER = Signer(b"t" * 32)
ITEMS = [
    Item("visit.json", b'{"visit": 1}\n'),
    Item("sighting-1.json", b'{"row": {"evidence_frame": null}}\n'),
    Item("frame-1.jpg", b"\xff\xd8 the frame \xff\xd9", {"blurred": "all"}),
    Item("crop-1.jpg", b"\xff\xd8 the crop \xff\xd9"),
    Item("ledger.json", b"{}\n"),
    Item("ledger-blocks.json", b"[]\n"),
]
NAMES = [item.name for item in ITEMS]


def files_of(items=ITEMS, signer=SIGNER, **header):
    """The files of a pack: the manifest first."""
    header = {
        "format": FORMAT,
        "visit_id": "v1",
        "items": len(items),
        "public_key": signer.public_key,
        **header,
    }
    links = chain.chained(header, items)
    manifest = {
        "header": header,
        "items": [link.as_dict() for link in links],
        "head": links[-1].hash,
        "signature": signer.sign(chain.signed_text(header, links[-1].hash)),
    }
    return [(MANIFEST, chain.readable(manifest)), *((item.name, item.content) for item in items)]


PACK = chain.zip_of(files_of())


def checked(files, key=SIGNER.public_key):
    return [(problem.code, problem.item) for problem in check_pack(chain.zip_of(files), key).problems]


def at(name):
    """The place of an item in the pack."""
    return NAMES.index(name) + 1


def test_a_pack_as_it_was_signed_is_right_with_the_key_and_without():
    assert check_pack(PACK, SIGNER.public_key).ok
    found = check_pack(PACK)
    assert (found.ok, found.items, found.key, found.key_was_given) == (True, 6, SIGNER.public_key, False)


@pytest.mark.parametrize("name", NAMES)
def test_one_changed_byte_is_named(name):
    files = files_of()
    content = files[at(name)][1]
    files[at(name)] = (name, content[:1] + bytes([content[1] ^ 1]) + content[2:])
    assert checked(files) == [("changed", name)]


@pytest.mark.parametrize("name", NAMES)
def test_a_byte_changed_in_the_zip_itself_is_named(name):
    """The checksum of the zip does not fit either: still the item is named, not a failed reading."""
    content = dict(files_of())[name]
    where = PACK.index(content)
    spoiled = PACK[:where] + bytes([PACK[where] ^ 1]) + PACK[where + 1 :]
    assert [(p.code, p.item) for p in check_pack(spoiled).problems] == [("changed", name)]


@pytest.mark.parametrize("name", NAMES)
def test_a_dropped_item_is_named(name):
    assert checked([file for file in files_of() if file[0] != name]) == [("dropped", name)]


@pytest.mark.parametrize("name", NAMES)
def test_a_renamed_item_is_named(name):
    files = [(f"other-{given}" if given == name else given, content) for given, content in files_of()]
    assert checked(files) == [("renamed", name)]


@pytest.mark.parametrize("place", range(len(NAMES) - 1))
def test_two_items_that_changed_places_are_named(place):
    files = files_of()
    files[place + 1], files[place + 2] = files[place + 2], files[place + 1]
    assert checked(files) == [("reordered", NAMES[place + 1])]


@pytest.mark.parametrize("place", range(len(NAMES) - 1))
def test_two_items_with_each_others_content_are_both_named(place):
    files = files_of()
    (one, first), (other, second) = files[place + 1], files[place + 2]
    files[place + 1 : place + 3] = [(one, second), (other, first)]
    assert checked(files) == [("changed", one), ("changed", other)]


@pytest.mark.parametrize("place", range(len(NAMES) + 2))
def test_an_added_item_is_named_wherever_it_stands(place):
    files = files_of()
    files.insert(place, ("extra.txt", b"x"))
    assert checked(files) == [("added", "extra.txt")]


def test_an_item_that_stands_in_the_pack_twice_is_named():
    with pytest.warns(UserWarning, match="Duplicate"):
        assert ("added", "crop-1.jpg") in checked([*files_of(), files_of()[4]])


@pytest.mark.parametrize("name", NAMES)
def test_a_line_taken_out_of_the_manifest_with_its_item_is_found(name):
    files = [file for file in files_of() if file[0] != name]
    manifest = json.loads(files[0][1])
    manifest["items"] = [link for link in manifest["items"] if link["name"] != name]
    files[0] = (MANIFEST, chain.readable(manifest))
    [(code, item)] = checked(files)
    # The line after the gap does not follow the one before it; after the last there is only the head.
    following = NAMES[at(name)] if name != NAMES[-1] else NAMES[-2]
    assert (code, item) == ("changed" if name != NAMES[-1] else "dropped", following)


@pytest.mark.parametrize("name", NAMES)
def test_a_line_of_the_manifest_that_was_made_to_fit_other_content_is_found(name):
    files = files_of()
    files[at(name)] = (name, b"[]")
    manifest = json.loads(files[0][1])
    line = manifest["items"][at(name) - 1]
    line["sha256"], line["size"] = chain.sha256_of(b"[]"), 2
    files[0] = (MANIFEST, chain.readable(manifest))
    assert checked(files) == [("changed", name)]


def test_a_whole_new_manifest_needs_the_service_s_key():
    forged = files_of(signer=STRANGER)
    assert checked(forged) == [("forged", MANIFEST)]
    assert check_pack(chain.zip_of(forged)).ok
    named_as_ours = files_of(signer=STRANGER, public_key=SIGNER.public_key)
    assert checked(named_as_ours) == [("forged", MANIFEST)]
    assert not check_pack(chain.zip_of(named_as_ours)).ok


@pytest.mark.parametrize("fact", ["visit_id", "items", "format"])
def test_a_changed_header_is_found(fact):
    files = files_of()
    manifest = json.loads(files[0][1])
    manifest["header"][fact] = 9
    files[0] = (MANIFEST, chain.readable(manifest))
    assert MANIFEST in [item for _, item in checked(files)]


def test_bytes_between_the_items_are_found():
    spoiled = [PACK + b"more", b"more" + PACK]
    with io.BytesIO(PACK) as written, zipfile.ZipFile(written, "a") as archive:
        archive.comment = b"paid in full"
        archive.close()
        spoiled.append(written.getvalue())
    for data in spoiled:
        assert [(p.code, p.item) for p in check_pack(data).problems] == [("changed", "the file")]


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all", PACK[:200]])
def test_what_is_no_pack_is_said_to_be_none(data):
    [problem] = check_pack(data).problems
    assert problem.code == "unreadable"


@pytest.mark.parametrize(
    "manifest", [b"", b"[]", b'{"header": {}}', b'{"header": {"format": 1}, "items": [{}]}']
)
def test_a_manifest_that_is_none_is_named(manifest):
    files = files_of()
    files[0] = (MANIFEST, manifest)
    assert checked(files) == [("changed", MANIFEST)]


def test_every_single_byte_of_a_pack_counts():
    missed = [
        place
        for place in range(0, len(PACK))
        if check_pack(PACK[:place] + b"\x99" + PACK[place + 1 :]).ok and PACK[place] != 0x99
    ]
    assert missed == []


def test_the_command_needs_no_database_and_no_settings(tmp_path):
    """In an empty folder, with an environment that says nothing: exit 0, and 1 once a byte is changed."""
    pack = tmp_path / "pack.zip"
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PLATEPAY_DATABASE_URL": "nonsense"}

    def run():
        command = [sys.executable, "-m", "api.cli", "verify", str(pack), "--key", SIGNER.public_key]
        return subprocess.run(command, cwd=tmp_path, env=bare, capture_output=True, text=True, check=False)

    pack.write_bytes(PACK)
    found = run()
    assert (found.returncode, found.stderr) == (0, "")
    assert "all 6 items are as they were signed" in found.stdout
    where = PACK.index(b"the crop")
    pack.write_bytes(PACK[:where] + b"T" + PACK[where + 1 :])
    found = run()
    assert (found.returncode, found.stdout) == (1, "changed: crop-1.jpg is not what was signed\n")
    assert [path.name for path in tmp_path.iterdir()] == ["pack.zip"]
