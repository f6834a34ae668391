"""The real wallet under a virtual clock: does the steps of a plan, and loses the power where they say so."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event

from api.simulation.forecourt_plan import PRICE_FEN, Plan, Stay, Step
from api.weighing import to_traffic, weigh
from vision.confusion import measured_confusion, measured_lookalikes
from wallet.errors import KeyReused, PlateAlreadyBound, SightingUnknown, VehicleUnknown, WalletError
from wallet.facts import Arrival, ChannelPayment, Posterior, Sale, SaleResult, SightingFact, Vehicle
from wallet.money import MILLION
from wallet.rules import Rules
from wallet.service import Wallet, open_wallet

START: Final = datetime(2026, 3, 2, tzinfo=UTC)
# Plates were bound long before anything happens.
BOUND_BEFORE: Final = timedelta(days=60)
# How many of all cars are customers, before any were counted.
CUSTOMERS_PPM: Final = 500_000
# A step that asks for more never ends.
MOST_STATEMENTS: Final = 20_000
SURE, UNSURE, NEAR = 999_850, 930_000, 640_000


class PowerCut(Exception):  # noqa: N818
    """The machine stopped in the middle of a transaction."""


def at(seconds: int) -> datetime:
    """A moment of the simulation."""
    return START + timedelta(seconds=seconds)


@dataclass(slots=True)
class Done:
    """What a step came to. refused: the wallet's own error, an answer like any other."""

    step: Step
    answer: Any = None
    refused: WalletError | None = None
    power_cut: bool = False


@dataclass(slots=True)
class World:
    """A wallet on a file of its own, and what the outside knows. Close it."""

    plan: Plan
    folder: Path
    template: Path
    rules: Rules = field(default_factory=Rules)
    wallet: Wallet = field(init=False)
    skew_s: int = 0
    accounts: dict[int, str] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)
    facts: dict[str, SightingFact] = field(default_factory=dict)
    true_plate: dict[str, str] = field(default_factory=dict)
    delivered: set[tuple[str, str]] = field(default_factory=set)
    touched: set[int] = field(default_factory=set)
    power_cuts: int = 0
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _left: int = 0
    _statements: int = 0
    _database: Path = field(init=False)
    _now: datetime = START

    def __post_init__(self) -> None:
        self._database = self.folder / "forecourt.db"
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._database}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(self.template, self._database)
        self.wallet = self._open()

    def _open(self) -> Wallet:
        alike = measured_lookalikes()
        wallet = open_wallet(f"sqlite:///{self._database}", self.rules, new_id=self._new_id, alike=alike)
        event.listen(wallet.engine, "before_cursor_execute", self._statement)
        return wallet

    def close(self) -> None:
        """Closes the wallet."""
        self.wallet.close()

    def _new_id(self) -> str:
        """An id that sorts by when it was made: nothing in it is left to chance."""
        milliseconds = int(self._now.timestamp() * 1_000)
        written, number = f"{milliseconds:012x}", next(self._ids)
        return f"{written[:8]}-{written[8:]}-7000-8000-{number:012x}"

    def _statement(self, *_: Any) -> None:
        """Called before every statement: the power may fail at this one."""
        self._statements += 1
        if self._statements > MOST_STATEMENTS:
            raise RuntimeError(f"more than {MOST_STATEMENTS} statements in one step")
        if self._left:
            self._left -= 1
            if self._left == 0:
                raise PowerCut

    @contextmanager
    def _power_may_fail(self, statements: int) -> Iterator[None]:
        self._left, self._statements = statements, 0
        try:
            yield
        finally:
            self._left = 0

    def do(self, step: Step) -> Done:
        """Does one step with the real wallet; a power cut undoes it and opens the wallet anew."""
        self._now = max(self._now, at(step.at_s))
        now = at(step.at_s + self.skew_s)
        done = Done(step)
        act: Callable[[Step, datetime], Any] = getattr(self, "_" + step.kind.replace(" ", "_"))
        try:
            with self._power_may_fail(step.cut):
                done.answer = act(step, now)
        except PowerCut:
            done.power_cut = True
            self.power_cuts += 1
            self.wallet.close()
            self.wallet = self._open()
        except (KeyReused, PlateAlreadyBound, SightingUnknown, VehicleUnknown) as refused:
            done.refused = refused
        if not done.power_cut and done.refused is None:
            self.delivered.add((step.kind, _name(step)))
        return done

    # What happens -------------------------------------------------------------------------------------------

    def _account(self, number: int) -> str:
        if number not in self.accounts:
            opened = self.wallet.open_account(f"Customer {number}", None, f"a{number}", START - BOUND_BEFORE)
            self.accounts[number] = opened.id
        return self.accounts[number]

    def _bind(self, step: Step, now: datetime) -> Vehicle:
        body = step.body
        account = self._account(body["account"])
        when = now - BOUND_BEFORE if step.at_s == 0 else now
        key = f"{body['plate']}-{step.at_s}"
        return self.wallet.bind_vehicle(account, body["plate"], body["colour"], key, when)

    def _unbind(self, step: Step, now: datetime) -> Vehicle:
        return self.wallet.unbind_vehicle(step.body["plate"], now)

    def _order(self, step: Step, now: datetime) -> None:
        body = step.body
        account = self._account(body["account"])
        order = self.wallet.create_recharge_order(account, body["amount_fen"], "sandbox", body["name"], now)
        self.orders[body["name"]] = order.id

    def _paid(self, step: Step, now: datetime) -> Any:
        body = step.body
        order = self.orders.get(body["name"], body["name"])
        payment = ChannelPayment("sandbox", body["txn"], order, body["amount_fen"], now)
        return self.wallet.channel_paid(payment, now)

    def _sighting(self, step: Step, now: datetime) -> Arrival:
        fact = sighting_of(step)
        self.facts[fact.sighting_id] = fact
        self.true_plate[fact.sighting_id] = step.body["plate"]
        return self.wallet.arrive(fact, self._posterior(fact, now), now)

    def _posterior(self, fact: SightingFact, now: datetime) -> Posterior:
        """As the service weighs a sighting."""
        if fact.text is None:
            return Posterior((), MILLION)
        candidates = self.wallet.habits.candidates(fact.positions, fact.station, now)
        traffic = to_traffic(self.wallet.habits.traffic(fact.station), CUSTOMERS_PPM)
        return weigh(fact.positions, fact.colour, candidates, traffic, measured_confusion())

    def _departure(self, step: Step, now: datetime) -> Any:
        return self.wallet.depart(step.body["sighting_id"], at(step.body["left_s"]), now)

    def _sale(self, step: Step, now: datetime) -> SaleResult:
        return self.wallet.record_sale(sale_of(step), now)

    def _other_sale(self, step: Step, now: datetime) -> SaleResult:
        return self.wallet.record_sale(sale_of(step), now)

    def _sweep(self, _: Step, now: datetime) -> Any:
        return self.wallet.sweep(now)

    def _clock(self, step: Step, _: datetime) -> None:
        self.skew_s = step.body["by_s"]

    # People -------------------------------------------------------------------------------------------------

    def _refund(self, step: Step, now: datetime) -> Any:
        paid = self._pick(step, [v for v in self.wallet.visits(limit=60, state="captured") if v.captured_fen])
        if paid is None:
            return None
        amount = 1 + step.body["pick"] % (paid.captured_fen * 2 // 3 + 1)
        return self.wallet.commands.refund(
            amount, "sorry", visit_id=paid.id, key=step.body["key"], actor="wang", now=now
        )

    def _reverse(self, step: Step, now: datetime) -> Any:
        paid = self._pick(step, [v for v in self.wallet.visits(limit=60, state="captured") if v.captured_fen])
        if paid is None:
            return None
        lines = [
            line
            for line in self.wallet.statement(paid.account_id, 400)
            if line.visit_id == paid.id and line.kind == "capture"
        ]
        return lines and self.wallet.commands.reverse(
            lines[0].id, "wrong", key=step.body["key"], actor="wang", now=now
        )

    def _void(self, step: Step, now: datetime) -> Any:
        visit = self._pick(step, self.wallet.visits(limit=60, state="open"))
        if visit is None:
            return None
        self.touched.add(int(visit.last_sighting_id.split("-")[1]))
        return self.wallet.commands.void(visit.id, "asked", key=step.body["key"], actor="wang", now=now)

    def _bonus(self, step: Step, now: datetime) -> Any:
        account = self._account(step.body["pick"] % 7)
        return self.wallet.commands.give_bonus(
            account, 1_500, "spring", key=step.body["key"], actor="wang", now=now
        )

    def _charge(self, step: Step, now: datetime) -> Any:
        account = self._account(step.body["pick"] % 7)
        return self.wallet.commands.charge(
            account, "north", 1_900, "wash", key=step.body["key"], actor="till", now=now
        )

    def _adjust(self, step: Step, now: datetime) -> Any:
        account, key = self._account(step.body["pick"] % 7), step.body["key"]
        proposed = self.wallet.commands.propose_adjustment(
            account, "principal", 700, "counted", key=key, actor="wang", now=now
        )
        return self.wallet.commands.decide_adjustment(
            getattr(proposed, "adjustment_id", ""), approve=True, key=key, actor="li", now=now
        )

    def _pick(self, step: Step, choices: list[Any]) -> Any:
        """One of the choices, the same whenever the step is repeated."""
        key = ("pick", step.body["key"])
        known = self._picked.get(key)
        if known is None and choices:
            known = self._picked[key] = choices[step.body["pick"] % len(choices)]
        return known

    _picked: dict[tuple[str, str], Any] = field(default_factory=dict)


def _name(step: Step) -> str:
    return str(step.body.get("sighting_id") or step.body.get("sale_id") or step.body.get("key") or step.at_s)


def stay_of_sale(plan: Plan, sale_id: str) -> Stay:
    """The stay in which a sale was made."""
    return plan.stays[int(sale_id.split("-")[1])]


def sale_of(step: Step) -> Sale:
    """What the pump says."""
    body = step.body
    return Sale(
        sale_id=body["sale_id"],
        station=body["station"],
        pump=body["pump"],
        grade="92",
        litres_ml=body["amount_fen"] * 1_000 // PRICE_FEN,
        unit_price_fen=PRICE_FEN,
        amount_fen=body["amount_fen"],
        started_at=at(body["started_s"]),
        ended_at=at(body["ended_s"]),
    )


def sighting_of(step: Step) -> SightingFact:
    """What the camera says: the plate itself, or one of the ways in which it is not sure of it."""
    body = step.body
    plate, reading = body["plate"], body["reading"]
    place = len(plate) - 1 - (body["first_s"] % 3)
    other = "8" if plate[place] != "8" else "3"
    text: str | None = plate
    tops, colour = [SURE] * len(plate), body["colour"]
    choices = [[(char, ppm)] for char, ppm in zip(plate, tops, strict=True)]
    match reading:
        case "unsure":
            choices[place] = [(plate[place], UNSURE), (other, 1_000_000 - UNSURE)]
        case "near":
            choices[place] = [(other, NEAR), (plate[place], 1_000_000 - NEAR)]
        case "misread":
            # Surely wrong: the text of another plate, as 12345 for 12346.
            wrong = {"5": "6", "6": "5", "D": "0", "0": "D", "8": "D", "1": "7"}.get(plate[place], "8")
            choices[place] = [(wrong, SURE)]
        case "unreadable":
            text, choices = None, []
        case "other colour":
            colour = "black" if colour != "black" else "blue"
    if text is not None:
        text = "".join(position[0][0] for position in choices)
    wrong_ppm = {"unsure": 70_000, "near": 360_000, "unreadable": 1_000_000}.get(reading, 1_000)
    first = at(body["first_s"])
    return SightingFact(
        sighting_id=body["sighting_id"],
        station=body["station"],
        camera=f"camera-{body['pump'] or 'entry'}",
        pump=body["pump"],
        first_seen_at=first,
        last_seen_at=first + timedelta(seconds=2),
        text=text,
        colour=colour,
        wrong_ppm=wrong_ppm,
        looks=6,
        positions=tuple(tuple(position) for position in choices),
    )
