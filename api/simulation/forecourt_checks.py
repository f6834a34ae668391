"""What must hold after every step, from the rows themselves and from what truly happened.

Rows are read with SQL of its own, new ones only; the wallet's own audit runs besides, every so many steps.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, text

from api.simulation.forecourt_plan import ALONE, CUSTOMERS, POOR, STATIONS, TWINS, Plan, Stay
from api.simulation.forecourt_world import Done, World, stay_of_sale
from wallet.command_facts import Rejected, Reversed
from wallet.facts import Arrival, PaymentApplied, SaleResult, SightingFact

AUDIT_EVERY: Final = 400

_TRANSFERS: Final = text(
    "SELECT rowid, kind, from_account, to_account, account_id, amount_fen, station, sale_id, visit_id, "
    "recharge_order_id, name FROM transfers WHERE rowid > :after ORDER BY rowid"
)
# A charge that one part of the wallet paid for is its own transfer.
_CHARGES: Final = text(
    "SELECT rowid, 'charge' AS kind, 'wallet:' || account_id || ':' || part AS from_account, "
    "'revenue:' || station AS to_account, account_id, amount_fen, station, NULL AS sale_id, "
    "NULL AS visit_id, NULL AS recharge_order_id, idempotency_key AS name FROM charges "
    "WHERE part IS NOT NULL AND rowid > :after ORDER BY rowid"
)
_WALLETS: Final = text("SELECT account_id, principal_fen, bonus_fen, held_fen FROM wallets")
_HELD: Final = text("SELECT account_id, SUM(amount_fen) FROM holds WHERE state = 'live' GROUP BY account_id")
_STANDING: Final = text(
    "SELECT plate || ' at ' || station FROM visits WHERE state = 'open' AND left_at IS NULL "
    "GROUP BY vehicle_id, station HAVING COUNT(*) > 1"
)
_VISIT: Final = text("SELECT plate, pump, last_sighting_id FROM visits WHERE id = :id")
_SIGHTINGS: Final = text("SELECT sighting_id FROM matches WHERE visit_id = :id")


class Violation(Exception):  # noqa: N818
    """A rule that does not hold. rule: its stable name."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule
        self.what = what


@dataclass(slots=True)
class Checks:
    """Looks at what each step did. Counts what is no fault of the rules."""

    world: World
    plan: Plan
    rows: int = 0
    charge_rows: int = 0
    steps: int = 0
    fold: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    captured: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    payer: dict[str, str] = field(default_factory=dict)
    visit_captured: Counter[str] = field(default_factory=Counter)
    visit_back: Counter[str] = field(default_factory=Counter)
    credited: Counter[str] = field(default_factory=Counter)
    owners: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    bound: dict[str, str] = field(default_factory=dict)
    paid: dict[str, int] = field(default_factory=dict)
    debits: int = 0
    wrong_misread: int = 0
    wrong_unheard: int = 0
    money_in: int = 0

    def after(self, done: Done) -> None:
        """Raises Violation where something does not hold after a step."""
        self.steps += 1
        self._people(done)
        match done.answer:
            case Arrival() as arrival:
                self._arrival(done, arrival)
            case SaleResult() as result:
                self._sale(done, result)
            case Reversed() | Rejected() if done.step.kind == "reverse":
                pass
            case PaymentApplied(order=order):
                if order.amount_fen != done.step.body["amount_fen"]:
                    raise Violation("recharge_is_what_was_paid", f"order {done.step.body['name']}")
        self.world.wallet.store.read(self._rows)
        if self.steps % AUDIT_EVERY == 0:
            self.audit()

    def audit(self) -> None:
        """The wallet's own proofs."""
        for check in self.world.wallet.audit().checks:
            if not check.ok:
                raise Violation("audit", f"{check.name}: {check.first_bad}")

    # Who is whose -------------------------------------------------------------------------------------------

    def _people(self, done: Done) -> None:
        step = done.step
        if done.power_cut or done.refused is not None:
            return
        match step.kind:
            case "bind":
                account = self.world.accounts[step.body["account"]]
                self.bound[step.body["plate"]] = account
                self.owners[step.body["plate"]].add(account)
            case "unbind":
                self.bound.pop(step.body["plate"], None)
            case "paid":
                self.paid[step.body["txn"]] = max(self.paid.get(step.body["txn"], 0), step.body["amount_fen"])

    def _arrival(self, done: Done, arrival: Arrival) -> None:
        match, body = arrival.match, done.step.body
        fact = self.world.facts[body["sighting_id"]]
        name = f"sighting {fact.sighting_id} ({body['reading']} of {body['plate']}, read {fact.text})"
        if match.outcome != "auto":
            stay = self.plan.stays[done.step.visit or 0]
            known = done.step.visit is not None and stay.is_customer and stay.plate in self.bound
            if known and stay.calm and not self._was_off_colour(stay.plate):
                why = ", ".join(reason.code for reason in match.reasons)
                raise Violation("sure_customer_is_automatic", f"{name} went to {match.outcome}: {why}")
            return
        if match.plate != fact.text and not (arrival.match.joined and self._is_left_open(fact, match.plate)):
            raise Violation("near_is_not_the_same", f"{name} was taken for {match.plate}")
        if match.plate not in CUSTOMERS or fact.colour != CUSTOMERS[match.plate][1]:
            raise Violation("colour_must_agree", f"{name} looks {fact.colour}")
        if not arrival.repeated and self.bound.get(match.plate) != match.account_id:
            raise Violation("unbound_plate_never_pays", f"{name} was given to {match.account_id}")
        if match.plate in TWINS and not arrival.repeated and not self._is_proved(fact, match.account_id):
            raise Violation("twin_needs_a_second_proof", f"{name} at {fact.camera} alone")
        rules = self.world.rules
        loss = (match.amount_fen + rules.dispute_cost_fen) * match.wrong_ppm
        is_unsure = fact.wrong_ppm > rules.auto_ceiling_ppm and not self._is_agreed(fact, match.plate)
        if loss > rules.asking_cost_fen * 1_000_000 or is_unsure:
            raise Violation("unsure_is_not_automatic", f"{name} with {match.wrong_ppm} ppm")

    def _was_off_colour(self, plate: str) -> bool:
        """Whether the plate was seen in another colour than its own: it may be stopped as a clone."""
        return any(
            fact.text == plate and fact.colour != CUSTOMERS[plate][1] for fact in self.world.facts.values()
        )

    def _is_proved(self, fact: SightingFact, account: str | None) -> bool:
        """Whether no twin of another account is bound now, or another camera of the station said the same."""
        owners = {self.bound.get(plate) for plate in TWINS} - {None, account}
        return not owners or any(
            other.station == fact.station and other.camera != fact.camera and other.text == fact.text
            for name, other in self.world.facts.items()
            if ("sighting", name) in self.world.delivered
        )

    def _is_agreed(self, fact: SightingFact, plate: str) -> bool:
        """Whether another camera of the station surely said this plate."""
        return any(
            other.station == fact.station
            and other.camera != fact.camera
            and (other.text, other.colour) == (plate, fact.colour)
            and other.wrong_ppm <= self.world.rules.auto_ceiling_ppm
            for name, other in self.world.facts.items()
            if ("sighting", name) in self.world.delivered
        )

    def _is_left_open(self, fact: SightingFact, plate: str) -> bool:
        """Whether a look lists each character of this plate, which another camera surely read."""
        listed = len(fact.positions) == len(plate) and all(
            own in dict(position) for own, position in zip(plate, fact.positions, strict=True)
        )
        return listed and self._is_agreed(fact, plate)

    def _sale(self, done: Done, result: SaleResult) -> None:
        if result.captured_fen > done.step.body["amount_fen"]:
            raise Violation("never_above_the_sale", f"sale {result.sale_id} took {result.captured_fen}")
        ended = result.visit_id if result.state == "void" else None
        if ended is not None and self.world.wallet.visit(ended).state == "open":
            raise Violation("zero_sale_ends_its_visit", f"sale {result.sale_id}")
        if done.step.kind == "other sale":
            first = self.world.wallet.sale(result.station, result.sale_id)
            if first is not None and first[0].amount_fen != done.step.body["amount_fen"]:
                raise Violation("same_id_other_body_is_refused", f"sale {result.sale_id}")

    # Rows ---------------------------------------------------------------------------------------------------

    def _rows(self, connection: Connection) -> None:
        for row in connection.execute(_TRANSFERS, {"after": self.rows}):
            self.rows = row.rowid
            self._transfer(row, connection)
        for row in connection.execute(_CHARGES, {"after": self.charge_rows}):
            self.charge_rows = row.rowid
            self._transfer(row, connection)
        held = {row[0]: int(row[1]) for row in connection.execute(_HELD)}
        for account, principal, bonus, held_fen in connection.execute(_WALLETS):
            folded = self.fold[account]
            if (principal, bonus) != (folded["principal"], folded["bonus"]):
                raise Violation("balance_is_the_fold", f"{account}: {principal} + {bonus}, folded {folded}")
            if held_fen != held.get(account, 0):
                raise Violation("held_is_the_live_holds", f"{account}: {held_fen}, live {held.get(account)}")
            if principal + bonus - held_fen < 0:
                raise Violation("never_overdrawn", account)
        twice = connection.execute(_STANDING).scalar()
        if twice is not None:
            raise Violation("one_hold_a_stay", f"{twice} has two")

    def _transfer(self, row: Any, connection: Connection) -> None:
        amount = int(row.amount_fen)
        for side, sign in ((row.to_account, 1), (row.from_account, -1)):
            if side.startswith("wallet:"):
                _, account, part = side.split(":")
                self.fold[account][part] += sign * amount
        match row.kind:
            case "capture":
                self._capture(row, amount, connection)
            case "refund" | "reversal" if row.visit_id is not None:
                self.visit_back[row.visit_id] += amount
                if self.visit_back[row.visit_id] > self.visit_captured[row.visit_id]:
                    raise Violation("refunds_within_the_capture", f"visit {row.visit_id}")
            case "recharge":
                self.credited[row.recharge_order_id] += 1
                self.money_in += amount
                if self.credited[row.recharge_order_id] > 1:
                    raise Violation("payment_counts_once", f"order {row.recharge_order_id}")
            case "suspense":
                self.money_in += amount

    def _capture(self, row: Any, amount: int, connection: Connection) -> None:
        parts = self.captured[row.sale_id]
        side = str(row.from_account)
        stay = stay_of_sale(self.plan, row.sale_id)
        if parts[side] or self.payer.setdefault(row.sale_id, row.account_id) != row.account_id:
            raise Violation("sale_pays_once", f"sale {row.sale_id} was captured twice")
        parts[side] += amount
        self.visit_captured[row.visit_id] += amount
        self.debits += 1
        if sum(parts.values()) > stay.amount_fen:
            raise Violation("never_above_the_sale", f"sale {row.sale_id} of {stay.amount_fen} took {parts}")
        if not self._may_pay(stay, row.account_id):
            self._wrong(stay, row, connection)

    def _may_pay(self, stay: Stay, account: str) -> bool:
        return stay.is_customer and account in self.owners[stay.plate]

    def _wrong(self, stay: Stay, row: Any, connection: Connection) -> None:
        """Somebody else's fuel: only a sure misreading, or a car nobody was told of, may be to blame."""
        visit = connection.execute(_VISIT, {"id": row.visit_id}).one()
        sightings = [name for (name,) in connection.execute(_SIGHTINGS, {"id": row.visit_id})]
        facts = self.world.facts
        if any(facts[name].text != self.world.true_plate[name] for name in sightings):
            self.wrong_misread += 1
            return
        payer = self.plan.stays[int(visit.last_sighting_id.split("-")[1])]
        has_left = ("departure", visit.last_sighting_id) in self.world.delivered
        is_known = any(
            fact.text not in (None, visit.plate) and fact.pump == stay.pump
            for name, fact in facts.items()
            if ("sighting", name) in self.world.delivered and int(name.split("-")[1]) == stay.number
        )
        if is_known or has_left or (payer.station, visit.pump) != (stay.station, stay.pump):
            raise Violation(
                "nobody_pays_for_another",
                f"{visit.plate} paid for sale {row.sale_id} of {stay.plate} ({stay.colour})",
            )
        self.wrong_unheard += 1

    # The end ------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """After everything was delivered and all graces are over."""
        wallet = self.world.wallet
        for station in STATIONS:
            if left := wallet.visits(station=station, state="open", limit=1):
                raise Violation("every_visit_ends", f"visit of {left[0].plate} is still open")
        for account in self.world.accounts.values():
            if wallet.balance(account).held_fen:
                raise Violation("every_hold_ends", account)
        for kind, name in sorted(self.world.delivered):
            if kind == "sale":
                self._sale_ended(name)
        if self.money_in != sum(self.paid.values()):
            raise Violation("what_was_paid_is_booked", f"{self.money_in} of {sum(self.paid.values())} fen")
        self.audit()

    def _sale_ended(self, name: str) -> None:
        stay = stay_of_sale(self.plan, name)
        known = self.world.wallet.sale(stay.station, name)
        if known is None:
            raise Violation("acknowledged_is_there", f"sale {name}")
        state = known[1].state
        if state not in ("captured", "void", "review"):
            raise Violation("every_sale_ends", f"sale {name} is {state}")
        expected = stay.calm and stay.is_customer and stay.plate in ALONE and CUSTOMERS[stay.plate][0] != POOR
        expected = expected and not self._was_off_colour(stay.plate)
        if expected and stay.number not in self.world.touched and stay.amount_fen and state != "captured":
            raise Violation("prompt_sale_is_captured", f"sale {name} of {stay.plate} is {state}")
