"""Stored decisions made again: byte for byte the same by the same rules, a difference in fen by others."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from api.commands.failures import CommandError
from api.commands.replay import Asked, replay
from api.deciding import decider
from wallet.facts import ChannelPayment, Posterior, Sale, SightingFact
from wallet.review_facts import Given
from wallet.rules import Rules
from wallet.service import open_wallet

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
PLATES = ("粤B11111", "粤B22222", "粤B33333")
STRICT = Rules(auto_ceiling_ppm=600)


def at(seconds):
    return START + timedelta(seconds=seconds)


class Day:
    """Cars of a day: sure and unsure readings of customers, a stranger, one nobody could read."""

    def __init__(self, url, shadow=None):
        self.wallet = open_wallet(url)
        beside = None if shadow is None else decider(shadow, {"shadow": True}, START)
        self.wallet.proof.decide_as(decider(Rules(), {"prior_customer_ppm": 500_000}, START), beside, shadow)
        for number, plate in enumerate(PLATES):
            account = self.wallet.open_account(f"Customer {number}", None, f"a{number}", START)
            self.wallet.bind_vehicle(account.id, plate, "blue", f"v{number}", START)
            order = self.wallet.create_recharge_order(account.id, 100_000, "sandbox", f"o{number}", START)
            payment = ChannelPayment("sandbox", f"t{number}", order.id, 100_000, START)
            self.wallet.channel_paid(payment, START)
        self.cars = [
            self.see("s0", PLATES[0], "1", 0, 500),
            self.see("s1", PLATES[1], "2", 1, 700),
            self.see("s2", PLATES[2], "3", 2, 30_000),
            self.see("s3", PLATES[0], "1", 10, 500),
            self.see("s4", "京A00001", "4", 20, 500, ()),
            self.see("s5", None, "5", 21, 1_000_000, ()),
        ]
        for number in (1, 2):
            sale = Sale(f"x{number}", "demo", f"{number}", "92", 5_000, 1_000, 5_000, at(30), at(60))
            self.wallet.record_sale(sale, at(60))

    def see(self, name, plate, pump, second, wrong_ppm, candidates=None):
        seen = SightingFact(
            name, "demo", "c", pump, at(second), at(second + 1), plate, "blue", wrong_ppm, 8,
            tuple(((c, 999_000),) for c in plate or ""),
        )  # fmt: skip
        given = ((plate, 1_000_000 - wrong_ppm),) if candidates is None else candidates
        return self.wallet.arrive(
            seen, Posterior(given, 1_000_000 - sum(p for _, p in given)), at(second + 1)
        )


@pytest.fixture
def day(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/day.db"
    monkeypatch.setenv("PLATEPAY_DATABASE_URL", url)
    monkeypatch.setenv("PLATEPAY_DATA_DIR", str(tmp_path))
    made = Day(url)
    yield made
    made.wallet.close()


@pytest.fixture
def run(day, capsys, tmp_path):
    def run_it(**changes):
        asked = {
            "since": None, "until": None, "station": None, "rules": None, "changes": (),
            "shadow": False, "sharpness": 1.0, "out": None, "check": True, "as_json": True,
        }  # fmt: skip
        capsys.readouterr()
        code = replay(Asked(**{**asked, **changes}))
        return code, json.loads(capsys.readouterr().out)

    return run_it


def test_the_same_input_by_the_same_rules_gives_the_same_bytes_and_the_decisions_of_then(run, tmp_path):
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    code, told = run(out=first)
    assert (code, told["decisions"], told["same"], told["drifted"]) == (0, 6, 6, 0)
    assert told["outcomes"] == {"auto": 3, "none": 1, "review": 2}
    run(out=second)
    assert first.read_bytes() == second.read_bytes()
    assert told["decisions_sha256"] == hashlib.sha256(first.read_bytes()).hexdigest()
    assert len(first.read_text().splitlines()) == 6


def test_a_stricter_rule_is_told_in_visits_and_in_fen(run, day):
    code, told = run(changes=("auto_ceiling_ppm=600",))
    assert (code, told["changed"], told["transitions"]) == (0, 1, {"auto -> review": 1})
    assert told["taken_otherwise_fen"] == 5_000
    assert told["held_fen"] - told["then_held_fen"] == Rules().hold_fen
    assert (told["review_before"], told["review_after"]) == (2, 3)
    [change] = told["listed"]
    assert (change["visit_id"], change["reasons"]) == (day.cars[1].visit.id, ["unsure_reading"])


def test_a_looser_rule_lets_a_car_pay_that_a_person_was_asked_about(run):
    code, told = run(changes=("auto_ceiling_ppm=40000", "review_cost_fen=2000"))
    assert (code, told["transitions"]) == (0, {"review -> auto": 1})
    assert told["then_held_fen"] - told["held_fen"] == Rules().hold_fen
    assert told["becomes_wrong"] == 0


def test_rules_in_a_file_are_taken_whole(run, tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text("auto_ceiling_ppm = 600\n", encoding="utf-8")
    assert run(rules=path)[1]["transitions"] == {"auto -> review": 1}
    path.write_text("auto_ceiling = 600\n", encoding="utf-8")
    with pytest.raises(CommandError, match="no rule called auto_ceiling"):
        run(rules=path)


def test_a_car_that_a_person_said_is_not_this_customer_s_makes_the_check_fail(run, day):
    """Looser rules would have taken the money of the wrong account: the gate names it."""
    [item] = [one for one in day.wallet.reviews() if one.sighting_id == "s2"]
    day.wallet.reviewing.answer(item.id, Given("correct", None), key="k", actor="wang", now=at(100))
    code, told = run(changes=("auto_ceiling_ppm=40000", "review_cost_fen=2000"))
    assert (code, told["becomes_wrong"]) == (1, 1)
    assert "account known to be not theirs" in told["problems"][0]
    assert run(changes=("auto_ceiling_ppm=40000",), check=False)[0] == 0


def test_a_decision_that_the_same_rules_do_not_make_again_is_a_drift(run, day):
    with (
        day.wallet.engine.connect().execution_options(platepay_writes=True) as connection,
        connection.begin(),
    ):
        connection.execute(text("DROP TRIGGER matches_no_update"))
        connection.execute(text("UPDATE matches SET hold_fen = 39999 WHERE sighting_id = 's0'"))
    code, told = run()
    assert (code, told["drifted"], told["changed"]) == (1, 1, 1)
    assert told["problems"][0].startswith("drift: 1")


def test_a_span_and_a_station_choose_what_is_made_again(run):
    assert run(until=at(5).isoformat())[1]["decisions"] == 3
    assert run(since=at(5).isoformat())[1]["decisions"] == 3
    assert run(station="elsewhere")[1]["decisions"] == 0
    with pytest.raises(CommandError, match="time with its zone"):
        run(since="yesterday")


def test_a_decision_of_before_inputs_were_kept_is_made_again_from_the_bindings_of_then(run, day):
    """Whose car it was can be told from the bindings' times; what the wallet held then cannot."""
    day.wallet.unbind_vehicle(PLATES[2], at(500))
    with (
        day.wallet.engine.connect().execution_options(platepay_writes=True) as connection,
        connection.begin(),
    ):
        connection.execute(text("DROP TRIGGER decision_inputs_no_delete"))
        connection.execute(text("DELETE FROM decision_inputs"))
    code, told = run()
    assert (code, told["decisions"], told["drifted"]) == (0, 6, 0)
    assert told["outcomes"]["none"] == 1
    assert {change["reasons"][-1] for change in told["listed"]} == {"not_recorded"}


def test_the_shadow_said_then_what_replay_says_now(tmp_path, monkeypatch, capsys):
    url = f"sqlite:///{tmp_path}/shadow.db"
    monkeypatch.setenv("PLATEPAY_DATABASE_URL", url)
    monkeypatch.setenv("PLATEPAY_SHADOW_RULES", "auto_ceiling_ppm=600")
    made = Day(url, STRICT)
    said = {note.sighting_id: note.outcome for note in made.wallet.proof.shadows()}
    made.wallet.close()
    out = tmp_path / "out.jsonl"
    code = replay(Asked(None, None, None, None, (), True, 1.0, out, True, True))
    told = json.loads(capsys.readouterr().out)
    assert (code, told["transitions"]) == (0, {"auto -> review": 1})
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {line["sighting_id"]: line["outcome"] for line in lines} == said
