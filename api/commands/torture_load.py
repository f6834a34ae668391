"""The load of the torture: named commands of many customers, asked again under the same names until answered.

What each wallet must hold in the end is known before anything is sent, so one lost or doubled command shows.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from api.commands.torture_worker import Answer, Order
from wallet.facts import ChannelPayment, Posterior, Sale, SightingFact
from wallet.service import Wallet

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
STATION = "torture"
RICH_FEN = 500_000
# Of hundred groups of commands so many are a car that arrives and fills up; the others are direct charges.
VISITS_OF_100 = 10


@dataclass(frozen=True, slots=True)
class Customer:
    """An account with a plate and a pump of its own."""

    account_id: str
    plate: str
    pump: str


@dataclass(slots=True)
class Tally:
    """What was asked and answered. spent_fen: by account, what its answered commands took.

    names: of every answered command that took money. cut_short: time was up before all were sent.
    """

    answered: int = 0
    names: set[str] = field(default_factory=set)
    repeats: int = 0
    kills: int = 0
    refused: list[str] = field(default_factory=list)
    unknown: int = 0
    cut_short: bool = False
    spent_fen: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Asked:
    """A command that may have been asked before. takes_fen: what it takes of its customer's wallet."""

    order: Order
    customer: Customer
    takes_fen: int
    is_stay: bool

    @property
    def name(self) -> str:
        """Its own name, under which the ledger knows it."""
        _, method, arguments, named = self.order
        return str(named["key"] if method == "commands.charge" else arguments[0].sale_id)


def welcome(wallet: Wallet, count: int, rich_fen: int = RICH_FEN) -> list[Customer]:
    """Customers with money."""
    customers = []
    for number in range(count):
        plate = f"粤B{number:05d}"
        account = wallet.open_account(f"Customer {number}", None, f"open-{number}", START)
        wallet.bind_vehicle(account.id, plate, "blue", f"bind-{number}", START)
        for part in range(-(-rich_fen // RICH_FEN)):
            name = f"{number}-{part}"
            order = wallet.create_recharge_order(account.id, RICH_FEN, "torture", f"order-{name}", START)
            wallet.channel_paid(ChannelPayment("torture", f"paid-{name}", order.id, RICH_FEN, START), START)
        customers.append(Customer(account.id, plate, f"pump-{number}"))
    return customers


class Load:
    """Commands from a seed, and what has become of them.

    rename: give a repeated command a new name, as a careless client would (a control: it must double money).
    """

    def __init__(self, customers: list[Customer], commands: int, chance: Random, *, rename: bool = False):
        self.tally = Tally(spent_fen={customer.account_id: 0 for customer in customers})
        self._chance = chance
        self._rename = rename
        self._numbers = itertools.count()
        self._waiting: dict[int, _Asked] = {}
        self._again: deque[_Asked] = deque()
        self._left = commands
        # Stays of one customer follow each other; a new one begins when the last is answered.
        self._stays: dict[str, int] = {}
        self._unanswered_stay: dict[str, int] = {}
        self._customers = customers
        self._charges = 0

    @property
    def is_done(self) -> bool:
        """Whether every command has its answer."""
        return not (self._left > 0 or self._waiting or self._again)

    def send_no_more(self) -> None:
        """Time is up: what was sent is still asked until it is answered."""
        self.tally.cut_short = self.tally.cut_short or self._left > 0
        self._left = 0

    def next_orders(self, most: int) -> list[Order]:
        """What to ask now: first what got no answer, under the same name, then new commands."""
        orders = []
        while self._again and len(self._waiting) < most:
            asked = self._again.popleft()
            self.tally.repeats += 1
            if self._rename:
                asked = replace(asked, order=renamed(asked.order, f"again-{self.tally.repeats}"))
            orders.append(self._ask(asked))
        while self._left > 0 and len(self._waiting) < most:
            for asked in self._new_group():
                orders.append(self._ask(asked))
                self._left -= 1
        return orders

    def take(self, answers: list[Answer]) -> None:
        """Notes answers; one that says nothing certain is asked again."""
        for number, said, value in answers:
            asked = self._waiting.pop(number, None)
            if asked is None:
                continue
            match said:
                case "unknown":
                    self.tally.unknown += 1
                    self._again.append(asked)
                    continue
                case "refused":
                    self.tally.refused.append(str(value))
                case _:
                    self.tally.spent_fen[asked.customer.account_id] += asked.takes_fen
                    if asked.takes_fen:
                        self.tally.names.add(asked.name)
            self.tally.answered += 1
            self._end_of(asked)

    def lose_some(self, answers: list[Answer], of_100: int) -> list[Answer]:
        """The answers that arrive; of the others the sender never hears and asks again."""
        arrived = []
        for answer in answers:
            if self._chance.randrange(100) >= of_100:
                arrived.append(answer)
            elif (asked := self._waiting.pop(answer[0], None)) is not None:
                self._again.append(asked)
        return arrived

    def forget_worker(self) -> None:
        """The worker has died: whatever it did not answer is asked again."""
        self._again.extend(self._waiting.values())
        self._waiting.clear()

    def _ask(self, asked: _Asked) -> Order:
        order: Order = (next(self._numbers), *asked.order[1:])
        self._waiting[order[0]] = replace(asked, order=order)
        return order

    def _end_of(self, asked: _Asked) -> None:
        if asked.is_stay:
            self._unanswered_stay[asked.customer.plate] -= 1

    def _new_group(self) -> Iterator[_Asked]:
        customer = self._chance.choice(self._customers)
        is_free = not self._unanswered_stay.get(customer.plate)
        if is_free and self._left >= 2 and self._chance.randrange(100) < VISITS_OF_100:
            yield from self._stay(customer)
        else:
            yield self._charge(customer)

    def _stay(self, customer: Customer) -> Iterator[_Asked]:
        self._unanswered_stay[customer.plate] = 2
        number = self._stays[customer.plate] = self._stays.get(customer.plate, 0) + 1
        at = START + timedelta(hours=6 * number)
        amount_fen = self._chance.randint(1, 9)
        sighting, posterior = sighting_of(customer, f"{customer.plate}-{number}", at)
        sale = sale_of(customer, f"{customer.plate}-{number}", at + timedelta(seconds=60), amount_fen)
        yield _Asked((0, "arrive", (sighting, posterior, at), {}), customer, 0, is_stay=True)
        yield _Asked((0, "record_sale", (sale, sale.ended_at), {}), customer, amount_fen, is_stay=True)

    def _charge(self, customer: Customer) -> _Asked:
        self._charges += 1
        amount_fen = self._chance.randint(1, 9)
        order = charge_order(customer, f"charge-{self._charges}", amount_fen)
        return _Asked(order, customer, amount_fen, is_stay=False)


def charge_order(customer: Customer, key: str, amount_fen: int) -> Order:
    """A direct charge under this name."""
    named = {"key": key, "actor": "torture", "now": START}
    return 0, "commands.charge", (customer.account_id, STATION, amount_fen, "wash"), named


def renamed(order: Order, suffix: str) -> Order:
    """The same command under another name, as a client that forgot what it had asked would send it."""
    number, method, arguments, named = order
    if method == "commands.charge":
        return number, method, arguments, {**named, "key": f"{named['key']}-{suffix}"}
    return order


def sighting_of(customer: Customer, name: str, at: datetime) -> tuple[SightingFact, Posterior]:
    """What a camera says of a customer's car."""
    fact = SightingFact(
        f"sighting-{name}", STATION, "lane", customer.pump, at, at, customer.plate, "blue", 500, 8
    )
    return fact, Posterior(((customer.plate, 999_500),), 500)


def sale_of(customer: Customer, name: str, at: datetime, amount_fen: int) -> Sale:
    """What a pump says, of litres at 10 yuan."""
    return Sale(f"sale-{name}", STATION, customer.pump, "92", amount_fen, 1_000, amount_fen, at, at)
