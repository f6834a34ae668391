"""The quick form of the torture: each fault holds, and each control is caught doing damage."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from api.commands.failures import CommandError
from api.commands.torture import FAULTS, as_dict, play
from api.commands.torture_faults import Finding, Sizes
from api.commands.torture_powercut import PAGE, SHADOW, cut_power
from api.commands.torture_rounds import CONTROL, SHARES, Notes, Played, Turn, together, turns_of
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
    turn = Turn(name, 0, 1, SIZES)
    finding = play(turn, FAULTS[name], Random(f"{SEED}/{name}"), tmp_path, lambda _answered: None).finding
    assert list(here.iterdir()) == []
    assert not finding.skipped
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
    assert as_dict(1, [], [])["ok"] is True


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


def test_the_rounds_of_a_storm_are_together_what_was_asked() -> None:
    turns = turns_of(FAULTS, 1_000_000, 520)
    storms = [turn for turn in turns if turn.fault in SHARES]
    assert sum(turn.sizes.commands for turn in storms) == 1_000_000
    assert sum(turn.sizes.kills for turn in storms) == 520
    assert len({turn.key for turn in turns}) == len(turns)
    assert [turn.number for turn in turns[: len(FAULTS)]] == [0] * len(FAULTS)
    assert all((turn.sizes.control > 0) == (turn.number == 0) for turn in turns)


def test_a_run_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    turns = turns_of(["2 service killed, SQLite"], 200_000, 20)
    asked = {"seed": 1}
    notes = Notes(tmp_path / "state", asked)
    for turn in turns[:2]:
        notes.add(Played(turn, Finding(commands=turn.sizes.commands, kills=3, doubled=turn.number), 1.5))
    again = Notes(tmp_path / "state", asked).played(turns)
    assert again == notes.played(turns)
    (finding, seconds) = together(again)["2 service killed, SQLite"]
    assert (finding.commands, finding.kills, finding.doubled, seconds) == (
        sum(turn.sizes.commands for turn in turns[:2]), 6, 1, 3.0,
    )  # fmt: skip
    assert as_dict(1, again, turns)["finished"] is False
    with pytest.raises(CommandError, match="belongs to a run"):
        Notes(tmp_path / "state", {"seed": 2})
    (tmp_path / "state").write_text("half a")
    with pytest.raises(CommandError, match="holds no torture"):
        Notes(tmp_path / "state", asked)


def test_a_turn_that_cannot_be_played_is_broken_and_the_others_go_on(tmp_path: Path) -> None:
    def cannot(_ring: object, _finding: Finding) -> None:
        raise OSError("no server")

    played = play(Turn("8 races", 0, 1, SIZES), cannot, Random(1), tmp_path, lambda _: None)
    assert not played.finding.ok
    assert "no server" in played.finding.wrong[0]


def test_when_time_is_up_what_was_sent_is_still_counted(tmp_path: Path) -> None:
    turn = Turn("2 service killed, SQLite", 0, 1, Sizes(5_000, 0, 0))
    finding = play(turn, FAULTS[turn.fault], Random(1), tmp_path, lambda _: None, until=0.0).finding
    assert finding.cut_short
    assert (finding.lost, finding.doubled, finding.wrong) == (0, 0, [])
    assert finding.commands < 5_000
