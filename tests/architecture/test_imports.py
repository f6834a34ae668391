"""The directions of imports, as pyproject.toml states them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LINT), "--no-cache", "--config", str(folder / "pyproject.toml")],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_import_points_the_way_it_may() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("vision/plates.py", "import wallet.money"),
        ("wallet/money.py", "import vision.plates"),
        ("wallet/money.py", "import redis"),
        ("cameras/health.py", "import wallet.money"),
        ("vision/plates.py", "import sqlalchemy"),
        ("cameras/health.py", "import onnxruntime"),
    ],
)
def test_a_planted_wrong_import_is_caught(tmp_path: Path, module: str, line: str) -> None:
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    for package in ("vision", "cameras", "wallet", "api"):
        for source in (ROOT / package).rglob("*.py"):
            copy = tmp_path / source.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
    target = tmp_path / module
    text = target.read_text(encoding="utf-8")
    target.write_text(f"{text}\n{line}\n", encoding="utf-8")
    result = lint(tmp_path)
    assert result.returncode != 0, result.stdout
    assert "BROKEN" in result.stdout
