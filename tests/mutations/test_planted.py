"""The planted mutations fit the code as it is; `make mutations` plays them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def _planted() -> Any:
    spec = importlib.util.spec_from_file_location("planted", Path(__file__).with_name("planted.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_planted_mutation_has_its_place_and_its_tests() -> None:
    planted = _planted().PLANTED
    gone = [one.name for one in planted if (ROOT / one.file).read_text().count(one.old) != 1]
    assert gone == []
    assert all((ROOT / test).exists() for one in planted for test in one.tests)
    assert all(one.old != one.new for one in planted)
    assert len({one.name for one in planted}) == len(planted) >= 30
