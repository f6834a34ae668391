"""The statistical city decides as the service does, and counts what it says it counts."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from api.commands.failures import CommandError
from api.simulation.baselines import Debit, at_share, majority
from api.simulation.city import City, missed_bars
from api.simulation.drawing import FIELD_MIX, Drawing, Seen
from api.simulation.intervals import rate_interval
from api.simulation.issue import Issue
from api.simulation.judge import Judge, fact_of
from api.simulation.misreads import Doubt, load_misreads
from api.simulation.register import BOUND_AT, Register
from api.simulation.strata import looks_of, strata_of, unread_share
from api.simulation.traffic import Traffic
from api.weighing import weigh
from vision import posterior as vision_posterior
from vision.confusion import measured_lookalikes
from vision.plates import kind_of
from wallet.facts import ChannelPayment
from wallet.service import open_wallet

PLATES = {
    **{f"粤B8888{n}": "blue" for n in range(10)},
    **{f"粤B0{n}D12": "blue" for n in range(10)},
    **{f"粤BD{n}2345": "green" for n in range(10)},
    "皖B88888": "blue",
    "粤BB8888": "yellow",
}


@pytest.fixture(scope="module")
def city(misreads):
    return City(5_000, misreads, seed=5)


@pytest.fixture(scope="module")
def result(misreads):
    return City(5_000, misreads, seed=5).run(2_500)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same customers in a real wallet and in the register."""
    folder = tmp_path_factory.mktemp("city")
    wallet = open_wallet(f"sqlite:///{folder}/wallet.db", alike=measured_lookalikes())
    for number, (plate, colour) in enumerate(PLATES.items()):
        account = wallet.open_account(plate, None, f"a{number}", BOUND_AT)
        wallet.bind_vehicle(account.id, plate, colour, f"v{number}", BOUND_AT)
        order = wallet.create_recharge_order(account.id, 100_000, "sandbox", f"o{number}", BOUND_AT)
        wallet.channel_paid(ChannelPayment("sandbox", f"t{number}", order.id, 100_000, BOUND_AT), BOUND_AT)
    yield wallet, Register(dict(PLATES))
    wallet.close()


def drawn(misreads, count, seed=1):
    """Sightings of registered and of unknown plates, measured and of the field."""
    drawing, chance = Drawing(misreads, Random(seed)), Random(seed)
    cars = [*PLATES.items(), ("粤B88838", "blue"), ("粤B8888B", "blue"), ("粤BB8888", "blue")]
    for _ in range(count):
        plate, colour = chance.choice(cars)
        one = chance.choice(misreads.sightings)
        if chance.random() < 0.5:
            yield drawing.measured(plate, colour, one)
        else:
            kind = chance.choice(list(FIELD_MIX))
            yield drawing.measured(plate, colour, one, drawing.errors(kind, len(plate)))


def test_the_register_finds_the_candidates_that_the_wallet_finds(both, misreads):
    wallet, register = both
    for seen in drawn(misreads, 100):
        # The register knows no plate with a character too many or too few.
        length = len(seen.positions)
        wanted = [(c.plate, c.colour) for c in wallet.candidates(seen.positions) if len(c.plate) == length]
        assert [(found.plate, found.colour) for found in register.candidates(seen.positions)] == wanted


def test_neighbours_looked_up_together_are_those_found_one_by_one(both):
    _, register = both
    one_by_one = {text: register.near(text) for text in (*PLATES, "粤B88838")}
    register.look_up(list(one_by_one))
    assert {text: register.near(text) for text in one_by_one} == one_by_one
    assert register.near("皖B88888") == ["粤B88888"]


def test_the_judge_decides_as_an_arrival_at_the_wallet_does(both, misreads):
    wallet, register = both
    comes = vision_posterior.Traffic(cars=100_000, prefixes={"粤B": 100_000}, registered=1_000)
    judge = Judge(register, traffic=comes)
    outcomes = set()
    for number, seen in enumerate(drawn(misreads, 100, seed=2)):
        # Each at a station of its own: no stay goes on.
        fact = replace(fact_of(seen), sighting_id=f"s{number}", station=f"st{number}")
        candidates = [c for c in wallet.candidates(seen.positions) if len(c.plate) == len(seen.positions)]
        posterior = weigh(seen.positions, seen.colour, candidates, judge.traffic, judge.confusion)
        match = wallet.arrive(fact, posterior, fact.last_seen_at).match
        decision = judge.decide(seen)
        reasons = [reason.code for reason in match.reasons]
        if reasons == ["insufficient_balance"]:
            continue
        assert (match.outcome, match.plate, reasons) == (
            decision.outcome,
            decision.vehicle and decision.vehicle.plate,
            [reason.code for reason in decision.reasons],
        )
        outcomes.add(match.outcome)
    assert outcomes == {"auto", "review", "none"}


def test_a_doubt_keeps_its_shape_on_a_plate_with_another_character(misreads):
    drawing = Drawing(misreads, Random(4))
    doubt = Doubt("8", (("B", 600_000), ("8", 300_000), ("3", 50_000)))
    assert drawing.choices_for("粤B88888", 3, doubt) == doubt.choices
    listed = drawing.choices_for("粤B5S5S5", 3, doubt)
    assert [ppm for _, ppm in listed][:2] == [600_000, 300_000]
    assert [char for char, _ in listed][:2] == ["5", "S"]


def test_a_wrong_sighting_stays_wrong_on_every_plate_and_a_right_one_right(misreads, city):
    drawing = Drawing(misreads, Random(6))
    for one in misreads.sightings[::10]:
        for car in city.traffic.cars(5):
            assert drawing.measured(car.plate, car.colour, one).is_right == one.is_right


def test_plates_are_valid_and_no_two_of_one_colour_are_the_same():
    issue = Issue(2_000)
    cars = np.arange(0, issue.cars, 97)
    texts, colours = issue.texts(cars)
    assert all(
        kind_of(text) is not None and colour in kind_of(text).colours
        for text, colour in zip(texts, colours, strict=True)
    )
    assert len(set(zip(texts, colours, strict=True))) == len(texts)
    assert {text[0] for text in texts} == set(
        "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
    )


def test_customers_come_in_runs_of_consecutive_numbers():
    issue = Issue(5_000)
    cars = issue.customers(np.random.default_rng(1))
    apart = np.flatnonzero(np.diff(cars) != 1)
    assert np.diff(apart).max() >= 20
    assert 4_500 < len(cars) < 5_500


def test_no_stranger_is_registered_under_its_text_and_colour(city):
    cars = city.traffic.cars(3_000)
    colours = city.traffic.register.colours
    assert all((colours.get(car.plate) == car.colour) == car.is_customer for car in cars)
    assert 0.25 < np.mean([car.is_customer for car in cars]) < 0.45


def test_the_shares_of_all_kinds_of_visits_add_up_to_all_visits(misreads):
    looks = looks_of(misreads)
    strata = strata_of(looks, 10_000)
    assert sum(looks.chances.values()) == pytest.approx(1)
    assert sum(s.share for s in strata) == pytest.approx(1)
    assert sum(s.share for s in strata if s.kind) == pytest.approx(sum(FIELD_MIX.values()))
    assert 0 < unread_share(misreads) < 0.2


def test_a_second_camera_proves_a_twin_and_the_same_camera_does_not(both):
    _, register = both
    judge = Judge(register, alike={"0": {"8": 90_000}, "8": {"0": 90_000}})
    twin = next(plate for plate in PLATES if plate[3] == "0" and f"粤B08{plate[4:]}" in PLATES)
    seen = Seen(twin, twin, PLATES[twin], 200, tuple(((char, 999_950),) for char in twin))
    alone, proved = judge.stay([seen, seen])
    assert [reason.code for reason in alone.reasons] == ["twin_needs_proof"]
    assert proved.outcome == "auto"


def test_the_same_seed_gives_the_same_city(misreads, result):
    assert City(5_000, misreads, seed=5).run(2_500) == result
    assert City(5_000, misreads, seed=6).run(2_500) != result


def test_one_edit_allowed_debits_far_more_strangers_than_platepay(result):
    edit = result["baselines"]["best string, edit distance 1 allowed"]
    assert edit["wrong_per_100k"] > 1_000 * max(result["ours"]["wrong_per_100k"], 1)


class Careless(Judge):
    """Takes near for the same."""

    def decide(self, *given):
        decision = super().decide(*given)
        return replace(decision, outcome="auto") if decision.vehicle is not None else decision


def test_a_decision_that_takes_near_for_the_same_is_seen_as_a_missed_bar(misreads):
    city = City(5_000, misreads, seed=5)
    city.judge = Careless(city.traffic.register)
    missed = missed_bars(city.run(2_000))
    assert any("wrong-customer debits" in line for line in missed)


def test_counts_of_rare_events_have_garwoods_interval():
    assert rate_interval([(1.0, 0)], 1.0) == pytest.approx((0, 0, 3.6889), abs=1e-3)
    assert rate_interval([(2.0, 10)], 2.0) == pytest.approx((20, 9.5908, 36.7807), abs=1e-3)


def test_a_baseline_is_cut_where_it_is_as_automatic_as_ours():
    debits = [
        Debit(0.9, 1.0, True, False, False),
        Debit(0.8, 1.0, False, True, False),
        Debit(0.7, 1.0, True, False, False),
    ]
    half = at_share(debits, 1.0, 2.0, 1.0)
    assert (half["wrong_per_100k"], half["automatic"]) == (0.0, 0.5)
    whole = at_share(debits, 2.0, 2.0, 1.0)
    assert (whole["wrong_per_100k"], whole["automatic"]) == (50_000.0, 1.0)


def test_a_vote_goes_to_what_most_looks_say():
    seen = Seen("粤B12345", "粤B12345", "blue", 10, (), (("粤B1", 0.5), ("粤B2", 0.9), ("粤B1", 0.5)))
    assert majority(seen).text == "粤B1"


@pytest.mark.parametrize(
    ("content", "what"),
    [("{", "is not JSON"), ("{}", "is not a file of misreads"), ('{"sightings": []}', "holds no sightings")],
)
def test_a_broken_file_is_named_in_one_line(tmp_path, content, what):
    path = tmp_path / "misreads.json"
    path.write_text(content)
    with pytest.raises(CommandError, match=what) as raised:
        load_misreads(path)
    assert "\n" not in str(raised.value)


def test_a_file_that_contradicts_itself_is_refused(tmp_path, misreads_file):
    content = json.loads(misreads_file.read_text())
    content["sightings"][0]["text_is_right"] = not content["sightings"][0]["text_is_right"]
    path = tmp_path / "misreads.json"
    path.write_text(json.dumps(content))
    with pytest.raises(CommandError, match="text_is_right"):
        load_misreads(path)


def test_traffic_has_as_many_customers_as_were_asked_for():
    assert len(Traffic(3_000, np.random.default_rng(2)).register) == 3_000
