"""The controller against a real wallet and a pump whose line loses requests and answers."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from api.pumps.controller import Allowed, PumpController, ServiceSilent
from api.pumps.driver import Cleared, LinkLost, Preset, Refused
from api.pumps.http_pos import HttpPos
from api.pumps.registry import DriverUnknown, open_driver
from api.pumps.simulator import PumpSimulator
from wallet.facts import ChannelPayment, Posterior, Sale, SightingFact
from wallet.limit_facts import Limits
from wallet.service import open_wallet

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
PLATE = "粤B12345"


class Station:
    """A wallet with one customer at pump 1, as a controller's service. silences: calls without answer."""

    def __init__(self, wallet, silences=()):
        self.wallet = wallet
        self.silences = iter(silences)
        self.seconds = 0
        self.account_id = wallet.open_account("Li", None, "a", START).id
        wallet.bind_vehicle(self.account_id, PLATE, "blue", "v", START)
        order = wallet.create_recharge_order(self.account_id, 100_000, "sandbox", "o", START)
        wallet.channel_paid(ChannelPayment("sandbox", "t", order.id, 100_000, START), START)

    def now(self):
        self.seconds += 1
        return START + timedelta(seconds=self.seconds)

    def arrive(self):
        at = self.now()
        seen = SightingFact(f"s{self.seconds}", "demo", "c", "1", at, at, PLATE, "blue", 500, 8)
        return self.wallet.arrive(seen, Posterior(((PLATE, 999_500),), 500), at).visit

    def allowed(self, pump):
        told = self.wallet.authorise("demo", pump, self.now())
        return Allowed(told.visit_id, told.limit_fen, told.litres_ml, told.grades)

    def report(self, pump, sold):
        sale = Sale(
            sold.transaction_id,
            "demo",
            pump,
            sold.grade,
            sold.litres_ml,
            sold.unit_price_fen,
            sold.amount_fen,
            sold.started_at,
            sold.ended_at,
        )
        self.wallet.record_sale(sale, self.now())
        if next(self.silences, False):
            raise ServiceSilent()
        return True

    def total_fen(self):
        return self.wallet.balance(self.account_id).principal_fen


@pytest.fixture
def station(tmp_path):
    opened = open_wallet(f"sqlite:///{tmp_path}/w.db")
    yield Station(opened)
    assert opened.audit().ok
    opened.close()


def _until(controller, step, most=40):
    """Goes round until that step is made; gives every step."""
    made = []
    for _ in range(most):
        made.append(controller.visit("1"))
        if made[-1] == step:
            return made
    raise AssertionError(f"no {step} in {made}")


def test_a_fill_goes_from_preset_to_cleared_and_is_paid_once(station):
    pump = PumpSimulator(["1"], station.now)
    controller = PumpController(pump, station)
    assert controller.visit("1") == "nothing"
    station.arrive()
    assert controller.visit("1") == "authorised"
    pump.lift_and_fuel("1")
    assert controller.visit("1") == "fuelling"
    pump.hang_up("1", 20_000, "92", 800)
    assert controller.visit("1") == "cleared"
    assert (station.total_fen(), pump.state("1").state) == (84_000, "idle")
    assert controller.visit("1") == "nothing"


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_line_loses_a_fill_is_sold_and_paid_once(station, seed):
    chance = random.Random(seed)
    faults = chance.choices(["fine", "lost", "answer_lost", "twice", "delayed"], k=30)
    station.silences = iter(chance.choices([True, False], k=5))
    pump = PumpSimulator(["1"], station.now, faults)
    controller = PumpController(pump, station)
    station.arrive()
    for _ in range(60):
        controller.visit("1")
        if pump.presets:
            break
    pump.lift_and_fuel("1")
    pump.hang_up("1", 20_000, "92", 800)
    # A controller that was started anew knows nothing, and does the same.
    controller = PumpController(pump, station) if seed % 2 else controller
    for _ in range(60):
        controller.visit("1")
    assert station.total_fen() == 84_000
    assert len(pump.presets) == 1
    assert len(station.wallet.visits()) == 1
    assert pump.state("1").state == "idle"


def test_an_answer_that_was_lost_is_asked_after_and_not_asked_again(station):
    pump = PumpSimulator(["1"], station.now, ["fine", "answer_lost"])
    controller = PumpController(pump, station)
    station.arrive()
    assert controller.visit("1") == "unknown"
    assert controller.visit("1") == "nothing"
    assert len(pump.presets) == 1


def test_a_preset_that_arrives_after_its_visit_was_paid_is_taken_back(station):
    # Each round asks for the state first: the second call is the preset, which arrives when all is over.
    pump = PumpSimulator(["1"], station.now, ["fine", "delayed"])
    controller = PumpController(pump, station)
    station.arrive()
    assert controller.visit("1") == "unknown"
    late, pump._delayed = pump._delayed, []
    assert controller.visit("1") == "authorised"
    pump.lift_and_fuel("1")
    pump.hang_up("1", 20_000, "92", 800)
    assert controller.visit("1") == "cleared"
    pump._delayed = late
    assert [controller.visit("1"), controller.visit("1")] == ["nothing", "cancelled"]
    assert (station.total_fen(), pump.state("1").state) == (84_000, "idle")


def test_a_pump_whose_car_was_stopped_is_closed_before_fuel_flows(station):
    pump = PumpSimulator(["1"], station.now)
    controller = PumpController(pump, station)
    visit = station.arrive()
    assert controller.visit("1") == "authorised"
    station.wallet.limits.not_me(visit.id, actor="owner", now=station.now())
    assert controller.visit("1") == "cancelled"
    assert pump.state("1").state == "idle"


def test_the_preset_keeps_the_pump_within_the_limits(station):
    limits = Limits(grades=("92",), litres_per_fill_ml=10_000)
    by = {"key": "l", "actor": "li", "now": START}
    station.wallet.limits.set_limits(station.account_id, PLATE, limits, **by)
    pump = PumpSimulator(["1"], station.now)
    controller = PumpController(pump, station)
    station.arrive()
    controller.visit("1")
    pump.lift_and_fuel("1")
    assert pump.hang_up("1", 60_000, "92", 800).litres_ml == 10_000
    assert controller.visit("1") == "cleared"
    assert station.wallet.reviews() == []


def test_a_pump_never_sells_above_its_limit():
    pump = PumpSimulator(["1"], lambda: START)
    for price_fen in (1, 7, 785, 999):
        pump.authorise(Preset("1", f"t{price_fen}", 20_001))
        pump.lift_and_fuel("1")
        sold = pump.hang_up("1", 50_000_000, "92", price_fen)
        assert 20_001 - price_fen <= sold.amount_fen <= 20_001
        assert pump.clear("1", sold.transaction_id) is Cleared.DONE


# The answers to CLEAR ---------------------------------------------------------------------------------------


def _pos(pump):
    """A POS that speaks HTTP, with the simulated pump behind it."""

    def answer(request):
        parts = request.url.path.strip("/").split("/")
        try:
            match (request.method, *parts):
                case ("GET", "pumps", name):
                    found = pump.state(name)
                    body = asdict(found)
                    return httpx.Response(200, content=json.dumps(body, default=lambda at: at.isoformat()))
                case ("PUT", "pumps", name, "preset"):
                    body = json.loads(request.content)
                    grades = None if body["grades"] is None else tuple(body["grades"])
                    pump.authorise(Preset(name, body["ticket"], body["limit_fen"], body["litres_ml"], grades))
                    return httpx.Response(204)
                case ("DELETE", "pumps", name, "preset", ticket):
                    pump.cancel(name, ticket)
                    return httpx.Response(204)
                case ("POST", "pumps", name, "transactions", number, "clear"):
                    codes = {Cleared.DONE: 200, Cleared.GONE: 410, Cleared.NOT_YET: 403, Cleared.UNKNOWN: 404}
                    return httpx.Response(codes[pump.clear(name, number)])
        except Refused:
            return httpx.Response(409)
        except LinkLost:
            raise httpx.ReadTimeout("no answer", request=request) from None
        return httpx.Response(404)

    return HttpPos("http://pos.test", transport=httpx.MockTransport(answer))


def test_a_second_driver_does_the_same_without_a_change_of_the_core(station):
    pump = PumpSimulator(["1"], station.now, ["fine", "answer_lost", "fine", "fine", "answer_lost"])
    controller = PumpController(_pos(pump), station)
    station.arrive()
    _until(controller, "nothing")
    pump.lift_and_fuel("1")
    pump.hang_up("1", 20_000, "92", 800)
    assert "unknown" in [controller.visit("1"), controller.visit("1"), controller.visit("1")]
    assert (station.total_fen(), len(pump.presets)) == (84_000, 1)
    assert pump.state("1").state == "idle"


@pytest.mark.parametrize("over_http", [False, True])
def test_clear_answers_gone_not_yet_and_unknown(over_http):
    pump = PumpSimulator(["1"], lambda: START)
    driver = _pos(pump) if over_http else pump
    assert driver.clear("1", "1-1") is Cleared.UNKNOWN
    driver.authorise(Preset("1", "t", 40_000))
    pump.lift_and_fuel("1")
    sold = pump.hang_up("1", 20_000, "92", 800)
    pump._pumps["1"].is_replaced = False
    assert driver.clear("1", sold.transaction_id) is Cleared.NOT_YET
    pump._pumps["1"].is_replaced = True
    assert driver.clear("1", sold.transaction_id) is Cleared.DONE
    assert driver.clear("1", sold.transaction_id) is Cleared.GONE
    assert driver.state("1").state == "idle"


@pytest.mark.parametrize(
    "answer", [httpx.Response(503), httpx.Response(200, content=b"{"), httpx.Response(200, json={})]
)
def test_a_broken_answer_is_unknown_and_not_a_failure(answer):
    driver = HttpPos("http://pos.test", transport=httpx.MockTransport(lambda _: answer))
    with pytest.raises(LinkLost):
        driver.state("1")


def test_a_fuelling_pump_keeps_its_preset(station):
    pump = PumpSimulator(["1"], station.now)
    driver = _pos(pump)
    driver.authorise(Preset("1", "t", 40_000))
    pump.lift_and_fuel("1")
    with pytest.raises(Refused):
        driver.cancel("1", "t")
    with pytest.raises(Refused):
        driver.authorise(Preset("1", "other", 40_000))


def test_a_driver_is_opened_by_its_name():
    assert open_driver("simulator", ["1"]).state("1").state == "idle"
    assert isinstance(open_driver("http_pos", ["1"], {"url": "http://pos.test"}), HttpPos)
    assert isinstance(open_driver("api.pumps.registry:_simulator", ["1"]), PumpSimulator)
    for name in ("steam", "api.pumps.nowhere:maker", "api.pumps.registry:nothing"):
        with pytest.raises(DriverUnknown, match="known are http_pos, simulator"):
            open_driver(name, ["1"])
