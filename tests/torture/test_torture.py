"""The quick form of the torture: each fault holds, and each control is caught doing damage."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from api.commands.torture import CONTROL, FAULTS, as_dict, play
from api.commands.torture_faults import Finding, Sizes
from api.commands.torture_powercut import PAGE, SHADOW, cut_power
from api.commands.torture_storm import Damage

SEED = 20261122
# Small enough for every push; `make torture` plays the same faults for hours.
SIZES = Sizes(commands=240, kills=3, control=CONTROL)


@pytest.mark.parametrize("name", FAULTS)
def test_nothing_is_lost_or_doubled_and_the_unsafe_way_is_caught(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "started here"
    here.mkdir()
    monkeypatch.chdir(here)
    finding = play(
        name, FAULTS[name], SIZES, Random(f"{SEED}/{name}"), tmp_path, lambda _answered: None
    ).finding
    assert list(here.iterdir()) == []
    if finding.skipped:
        pytest.skip(finding.skipped)
    assert (finding.lost, finding.doubled, finding.wrong) == (0, 0, [])
    assert finding.control_caught, finding.control
    assert finding.commands > 0


@pytest.mark.parametrize(
    ("spoil", "is_ok"),
    [
        (lambda _finding: None, True),
        (lambda finding: setattr(finding, "lost", 1), False),
        (lambda finding: setattr(finding, "doubled", 1), False),
        (lambda finding: finding.must(False, "something"), False),
        (lambda finding: finding.caught(False, "the unsafe way went unseen"), False),
        (lambda finding: finding.caught_damage(Damage(0, 0, "")), False),
    ],
)
def test_a_fault_holds_only_where_nothing_is_wrong_and_its_control_was_caught(spoil, is_ok) -> None:
    finding = Finding()
    finding.caught_damage(Damage(3, 0, ""))
    spoil(finding)
    assert finding.ok is is_ok
    assert as_dict(1, [])["ok"] is True


def test_a_power_cut_keeps_what_was_synced_and_any_part_of_the_rest(tmp_path: Path) -> None:
    database = tmp_path / "money.db"
    synced, later = b"a" * 3 * PAGE, b"b" * 2 * PAGE
    left = set()
    for seed in range(20):
        Path(f"{database}{SHADOW}").write_bytes(synced)
        database.write_bytes(synced + later)
        Path(f"{database}-wal").write_bytes(b"never synced")
        cut_power(database, Random(seed))
        assert not Path(f"{database}-wal").exists()
        content = database.read_bytes()
        assert content.startswith(synced)
        assert (synced + later).startswith(content)
        left.add(len(content))
    assert len(left) > 5
