"""The command line as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def platepay(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What came of `platepay` with these arguments; of our settings it sees only those given here."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PLATEPAY_")}
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments],
        cwd=cwd,
        env={**own, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
