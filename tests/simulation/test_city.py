"""The statistical city decides as the service does, and counts what it says it counts."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from api.commands.failures import CommandError
from api.simulation.baselines import EXACT, Debit, at_share, majority
from api.simulation.city import City, missed_bars, times_fewer
from api.simulation.drawing import FIELD_MIX, Drawing, Seen
from api.simulation.fitting import Fitting, weight_of_kind
from api.simulation.intervals import rate_interval
from api.simulation.issue import Issue
from api.simulation.judge import Judge, fact_of
from api.simulation.misreads import Doubt, Measured, Misreads, Unread, load_misreads
from api.simulation.register import BOUND_AT, Register
from api.simulation.strata import UNSURE_PPM, class_of, looks_of, seen_alike, strata_of, unread_share
from api.simulation.traffic import Traffic
from api.weighing import weigh
from vision import posterior as vision_posterior
from vision.confusion import measured_lookalikes
from vision.plates import PROVINCES, SERIAL, kind_of
from wallet.facts import ChannelPayment
from wallet.money import MILLION
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
    drawing, fitting, chance = Drawing(misreads, Random(seed)), Fitting(misreads), Random(seed)
    cars = [*PLATES.items(), ("粤B88838", "blue"), ("粤B8888B", "blue"), ("粤BB8888", "blue")]
    for _ in range(count):
        plate, colour = chance.choice(cars)
        number = chance.randrange(len(misreads.sightings))
        one, places = misreads.sightings[number], fitting.places(plate, number, chance)
        if chance.random() < 0.5:
            yield drawing.measured(plate, colour, one, places)
        else:
            kind = chance.choice(list(FIELD_MIX))
            yield drawing.measured(plate, colour, one, places, drawing.errors(kind, plate))


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
    for number in range(0, len(misreads.sightings), 10):
        one = misreads.sightings[number]
        for car in city.traffic.cars(5):
            places = city.fitting.places(car.plate, number, drawing.random)
            assert drawing.measured(car.plate, car.colour, one, places).is_right == one.is_right


def sighting(*doubts, wrong_ppm=100):
    """A measured sighting of seven characters with these (place, doubt)."""
    places = dict(doubts)
    return Measured("blue", 5, wrong_ppm, tuple(places.get(place) for place in range(7)), hard=False)


def made_of(*doubtful, seen, clean=1_000):
    """A file of clean sightings and these. seen: how often each character was surely read and there."""
    sure = {c: {c: count} for c, count in seen.items()}
    return Misreads("a test", {}, {}, sure, (sighting(),) * clean + doubtful, Unread(0, 0), Unread(0, 0))


EVERY_PROVINCE = dict.fromkeys(PROVINCES, 30)
EVERY_CHARACTER = dict.fromkeys(SERIAL, 150)


def test_a_province_errs_as_often_as_it_was_measured_to_and_others_hardly():
    wrong = sighting((0, Doubt("鄂", (("豫", 980_000), ("鄂", 500)))))
    fitting = Fitting(made_of(*[wrong] * 10, seen=EVERY_PROVINCE | EVERY_CHARACTER))
    assert fitting.borrowed[0] < 30
    chance = {plate: float(fitting.odds(plate).sum()) / 1_010 for plate in ("鄂A12345", "粤A12345")}
    # 10 of 40; what is added is that the others, which are read surely, come the more seldom.
    assert chance["鄂A12345"] / (1 + chance["鄂A12345"]) == pytest.approx(10 / 40, rel=0.15)
    assert 0 < chance["粤A12345"] < chance["鄂A12345"] / 20


def test_a_plate_with_twice_the_character_errs_twice_as_often():
    unsure = sighting((4, Doubt("5", (("5", 900_000), ("S", 90_000)))))
    fitting = Fitting(made_of(*[unsure] * 20, seen=EVERY_PROVINCE | EVERY_CHARACTER))
    none, one, two = (float(fitting.odds(plate).sum()) for plate in ("粤B12346", "粤B12345", "粤B52345"))
    assert two - none == pytest.approx(2 * (one - none))
    assert one > 10 * none


def test_two_doubts_of_one_character_need_a_plate_that_has_it_twice():
    d = Doubt("D", (("0", 900_000), ("D", 90_000)))
    fitting = Fitting(made_of(*[sighting((2, d), (4, d))] * 20, seen=EVERY_PROVINCE | EVERY_CHARACTER))
    once, twice = (float(fitting.odds(plate).sum()) for plate in ("粤BD1234", "粤BD1D34"))
    assert twice > 5 * once
    places = fitting.places("粤BD1D34", 1_000, Random(1))
    assert sorted(place for place, _ in places) == [2, 4]


def test_a_doubt_is_not_put_where_what_was_read_may_not_stand():
    as_d = sighting((6, Doubt("0", (("D", 900_000), ("0", 90_000)))))
    fitting = Fitting(made_of(*[as_d] * 20, seen=EVERY_PROVINCE | EVERY_CHARACTER))
    # The last four of a new-energy plate are digits: there a 0 is never taken for a D.
    assert float(fitting.odds("粤BF01234").sum()) > 10 * float(fitting.odds("粤BF12304").sum())


def test_characters_borrow_little_where_they_were_measured_to_differ_and_much_where_alike():
    assert weight_of_kind([(0, 100)] * 20 + [(60, 100)] * 3) < 5
    assert weight_of_kind([(5, 100)] * 30) > 500
    assert weight_of_kind([(0, 100)] * 3) > 500


@pytest.mark.parametrize("plate", ["粤B12345", "粤B80D08", "鄂A88800", "粤BD12345"])
def test_the_ways_to_see_a_plate_are_all_stays_of_it(misreads, plate):
    looks, fitting = looks_of(misreads, at_pump=True), Fitting(misreads)
    view = looks.at(fitting.doubtful, fitting.odds(plate))
    weights = sum(stratum.weight(view) * stratum.drawn for stratum in strata_of(looks, 10_000))
    assert weights == pytest.approx(1)


def test_an_error_of_the_field_is_the_same_for_both_cameras(misreads):
    drawing = Drawing(misreads, Random(8))
    for _ in range(20):
        errors = drawing.errors("one character", "粤B88888")
        read = {drawing.measured("粤B88888", "blue", sighting(), (), errors).text for _ in range(3)}
        assert len(read) == 1


def test_no_measured_sighting_is_surer_than_its_characters_together():
    for one in load_misreads().sightings:
        right = math.prod(doubt.choices[0][1] / MILLION for doubt in one.positions if doubt is not None)
        assert one.wrong_ppm >= int(MILLION * (1 - right))


def test_an_error_on_a_doubtful_plate_adds_to_its_doubt(misreads):
    unsure = sighting((0, Doubt("粤", (("粤", 990_000), ("鲁", 9_000)))), wrong_ppm=10_100)
    errors = ((3, Doubt("8", (("B", 980_000), ("8", 19_000))), 20_050),)
    doubtful, clean = (
        Drawing(misreads, Random(8)).measured("粤B88888", "blue", one, places, errors).wrong_ppm
        for one, places in ((unsure, ((0, unsure.positions[0]),)), (sighting(), ()))
    )
    assert (doubtful, clean) == (29_800, 20_050)


def test_causes_add_up_to_what_they_explain(result):
    asked = sum(row["share"] for row in result["not_automatic"])
    assert asked == pytest.approx(1 - result["ours"]["automatic"], abs=1e-3)
    blamed = sum(row["wrong_per_100k"] for row in result["wrong_because"])
    assert blamed == pytest.approx(result["ours"]["wrong_per_100k"], abs=1e-2)


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
    looks = looks_of(misreads, at_pump=True)
    strata = strata_of(looks, 10_000)
    assert looks.shares.sum() == pytest.approx(1)
    field = [stratum for stratum in strata if stratum.kind]
    assert sum(stratum.share for stratum in field) == pytest.approx(sum(FIELD_MIX.values()))
    # Each error of the field is drawn by how often it comes.
    assert len({round(stratum.drawn / stratum.share, -4) for stratum in field}) == 1
    assert 0 < unread_share(misreads.unread_at_pump) < 0.2


def test_a_second_camera_proves_a_twin_and_the_same_camera_does_not(both):
    _, register = both
    judge = Judge(register, alike={"0": {"8": 90_000}, "8": {"0": 90_000}})
    twin = next(plate for plate in PLATES if plate[3] == "0" and f"粤B08{plate[4:]}" in PLATES)
    seen = Seen(twin, twin, PLATES[twin], 200, tuple(((char, 999_950),) for char in twin))
    alone, proved = judge.stay([seen, seen])
    assert [reason.code for reason in alone.reasons] == ["twin_needs_proof"]
    assert proved.outcome == "auto"


def test_an_entry_that_surely_read_another_text_sends_the_car_to_a_person(both):
    _, register = both
    judge = Judge(register, traffic=vision_posterior.Traffic(cars=100_000, prefixes={"粤B": 100_000}))
    at_pump, at_entry, unsure = (
        Seen(text, text, "blue", wrong_ppm, tuple(((char, 999_950),) for char in text))
        for text, wrong_ppm in (("粤B03D12", 200), ("粤B03D72", 200), ("粤B03D72", 30_000))
    )
    assert judge.stay([at_pump, at_pump])[-1].outcome == "auto"
    assert judge.stay([unsure, at_pump])[-1].outcome == "auto"
    assert "read_otherwise" in [reason.code for reason in judge.stay([at_entry, at_pump])[-1].reasons]


def test_an_unsure_pump_that_agrees_with_a_sure_entry_is_automatic_and_alone_is_not(both):
    _, register = both
    judge = Judge(register, traffic=vision_posterior.Traffic(cars=100_000, prefixes={"粤B": 100_000}))
    sure, unsure = (
        Seen("粤B03D12", "粤B03D12", "blue", wrong_ppm, tuple(((char, ppm),) for char in "粤B03D12"))
        for wrong_ppm, ppm in ((200, 999_950), (250_000, 960_000))
    )
    assert judge.stay([unsure, unsure])[-1].outcome == "review"
    assert judge.stay([sure, unsure])[-1].outcome == "auto"


def test_the_same_seed_gives_the_same_city(misreads, result):
    assert City(5_000, misreads, seed=5).run(2_500) == result
    assert City(5_000, misreads, seed=6).run(2_500) != result


def test_cities_played_by_several_processes_come_to_the_same(misreads):
    told = []
    one, two = (
        City(1_000, misreads, seed=5, homes=("粤B", "鄂A")).run(400, lambda *what: told.append(what), workers)
        for workers in (1, 2)
    )
    assert one == two
    assert one["drawn"] == told[-1][1]


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
    of_another_colour = at_share([*debits, Debit(0.95, 1.0, False, False, True)], 2.0, 2.0, 1.0)
    assert (of_another_colour["wrong_per_100k"], of_another_colour["of_another_colour_per_100k"]) == (
        1e5,
        5e4,
    )
    result = {"ours": {"wrong_per_100k": 10.0}, "baselines": {EXACT: of_another_colour}}
    assert (times_fewer(result), times_fewer(result, of_its_colour=True)) == (10_000, 5_000)


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


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        (
            "alike",
            {"unread": 1, "unread_too": 2, "wrong": 0, "wrong_too": 0, "unsure": 0, "unsure_too": 0},
            "alike",
        ),
        ("passes", 1, "do not fit each other"),
        ("sightings", [], "holds no sightings"),
    ],
)
def test_counts_that_cannot_be_are_refused(tmp_path, misreads_file, key, value, what):
    path = tmp_path / "misreads.json"
    path.write_text(json.dumps(json.loads(misreads_file.read_text()) | {key: value}))
    with pytest.raises(CommandError, match=what):
        load_misreads(path)


@pytest.mark.parametrize(
    ("index", "change", "what"),
    [(0, {"text_is_right": False}, "text_is_right"), (slice(None), {"at_pump": True}, "on their way and at")],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path, misreads_file, index, change, what):
    content = json.loads(misreads_file.read_text())
    chosen = content["sightings"][index]
    for one in [chosen] if isinstance(chosen, dict) else chosen:
        one |= {name: not one[name] if name == "text_is_right" else value for name, value in change.items()}
    path = tmp_path / "misreads.json"
    path.write_text(json.dumps(content))
    with pytest.raises(CommandError, match=what):
        load_misreads(path)


def test_what_the_pump_sees_badly_its_entry_sees_as_often_as_was_measured(misreads):
    alike = replace(misreads.alike, unread=0.0, wrong=0.0, unsure=1.0)
    city = City(5_000, replace(misreads, alike=alike), seed=5)
    entry, pump = looks_of(city.misreads, at_pump=False), looks_of(city.misreads, at_pump=True)
    [doubtful] = [stratum for stratum in strata_of(pump, 100) if stratum.name == "doubtful"]
    stays = [city._stay(doubtful, car, entry, pump) for car in city.traffic.cars(40)]
    unsure = [stay for stay in stays if stay.measured.wrong_ppm > UNSURE_PPM]
    assert len(unsure) > 10
    assert all(stay.looks[0] == stay.looks[1] for stay in unsure)
    assert seen_alike(None, alike) == seen_alike(sighting(), alike) == 0.0


def test_a_colour_is_seen_wrongly_where_it_was_and_on_no_plate_that_the_city_has_not(misreads):
    drawing = Drawing(misreads, Random(4))

    def seen(colour, measured, true):
        one = replace(sighting(), colour=measured, true_colour=true)
        return {drawing.measured("粤B12345", colour, one, (), None).colour for _ in range(40)}

    assert (
        seen("blue", "blue", "blue") == seen("blue", "blue", "black") == seen("blue", "black", "") == {"blue"}
    )
    assert seen("blue", "black", "blue") == {"black"}
    assert seen("yellow", "black", "blue") == {"blue", "green"}
    assert class_of(replace(sighting(), colour="black", true_colour="blue")) == "surely wrong"


def test_a_hard_pass_lends_its_doubts_to_the_field_as_seldom_as_it_comes(misreads):
    drawing = Drawing(misreads, Random(4))
    pool, sums = drawing._pool("one character", is_province=False)
    hard = {id(doubt) for one in misreads.sightings if one.hard for doubt in one.positions if doubt}
    share = sum(weight for doubt, _, weight in pool if id(doubt) in hard) / sums[-1]
    assert 0 < share < 0.1


def test_traffic_has_as_many_customers_as_were_asked_for():
    assert len(Traffic(3_000, np.random.default_rng(2)).register) == 3_000


def test_several_cities_are_drawn_alike_and_each_has_its_own_cars(misreads):
    city = City(2_000, misreads, seed=5, homes=("粤B", "鄂A"))
    result = city.run(400)
    assert result["cities"] == ["粤B", "鄂A"]
    assert all(part["drawn"] % 2 == 0 for part in result["parts"].values())
    assert sum(part["share"] for part in result["parts"].values()) == pytest.approx(1, abs=0.1)
    plates = [car.plate for car in replace(city, number=1).traffic.cars(200)]
    assert np.mean([plate.startswith("鄂A") for plate in plates]) > 0.6
