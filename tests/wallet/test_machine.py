"""Random days on the forecourt with repeats and contradictions: no fen is made, lost or moved twice."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from wallet.command_facts import Adjusted, Charged, Granted, Proposed, Refunded, Rejected, Reversed
from wallet.errors import KeyReused
from wallet.facts import ChannelPayment, Posterior
from wallet.service import open_wallet
from wallet.tables import metadata

PLATES = ("粤B00001", "粤B00002", "粤B00003")
PUMPS = ("1", "2")
AMOUNTS = st.sampled_from([0, 1, 9_999, 40_000, 40_001, 120_000])
SOON = st.integers(0, 400)


class Day(RuleBasedStateMachine):
    """A day at one station. `open_ledger` is the test's: it gives a station without customers."""

    def __init__(self):
        super().__init__()
        self.forecourt = self.open_ledger()
        self.wallet = self.forecourt.wallet
        # Two cars share the first wallet.
        first = self.forecourt.customer(PLATES[0], 0)
        self.wallet.bind_vehicle(first, PLATES[1], "blue", "shared", self.forecourt.at(0))
        self.owner = {
            PLATES[0]: first,
            PLATES[1]: first,
            PLATES[2]: self.forecourt.customer(PLATES[2], 0),
        }
        self.bound = set(PLATES)
        self.recharged = dict.fromkeys(self.owner.values(), 0)
        self.now = 0
        self.names = itertools.count(1)
        self.sightings, self.sales, self.payments, self.left = {}, {}, [], {}
        # What commands by hand changed in each wallet, and each command with its answer, to be asked again.
        self.by_hand = {account: {"principal": 0, "bonus": 0} for account in self.recharged}
        self.asked, self.debits, self.open_adjustments, self.reversed_of = [], {}, [], {}

    def moment(self):
        return self.forecourt.at(self.now)

    @rule(wait=st.sampled_from([1, 30, 70, 400, 8_000]))
    def time_passes(self, wait):
        self.now += wait

    @rule(plate=st.sampled_from(PLATES), amount=st.sampled_from([1, 5_000, 50_000, 300_000]))
    def recharge(self, plate, amount):
        number = next(self.names)
        order = self.wallet.create_recharge_order(
            self.owner[plate], amount, "sandbox", f"k{number}", self.moment()
        )
        payment = ChannelPayment("sandbox", f"t{number}", order.id, amount, self.moment())
        self.wallet.channel_paid(payment, self.moment())
        self.payments.append(payment)
        self.recharged[self.owner[plate]] += amount

    # Commands by hand --------------------------------------------------------------------------------------

    def ask(self, command, *given, actor="wang", **named):
        """The answer to a command under a new key; kept, to be asked again and with another body."""
        how = {"key": f"c{next(self.names)}", "actor": actor, "now": self.moment()}
        answer = command(*given, **named, **how)
        self.asked.append((command, given, named, how, answer))
        return answer

    def moved(self, account, bonus, principal):
        self.by_hand[account]["bonus"] += bonus
        self.by_hand[account]["principal"] += principal

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def a_command_is_repeated(self, data):
        command, given, named, how, first = data.draw(st.sampled_from(self.asked))
        assert command(*given, **named, **how) == first
        other = (*given[:-1], "another") if isinstance(given[-1], str) else (*given[:-1], given[-1] + 1)
        if named.get("approve") is not None:
            other, named = given, {**named, "approve": not named["approve"]}
        with pytest.raises(KeyReused):
            command(*other, **named, **how)

    @rule(plate=st.sampled_from(PLATES), amount=st.sampled_from([1, 7_001, 60_000]))
    def a_bonus_is_given(self, plate, amount):
        account = self.owner[plate]
        granted = self.ask(self.wallet.commands.give_bonus, account, amount, "spring")
        assert isinstance(granted, Granted)
        self.moved(account, amount, 0)

    @rule(plate=st.sampled_from(PLATES), amount=st.sampled_from([1, 3_000, 90_000]))
    def a_charge_is_asked_for(self, plate, amount):
        account = self.owner[plate]
        available = self.wallet.balance(account).available_fen
        done = self.ask(self.wallet.commands.charge, account, "demo", amount, "wash")
        assert isinstance(done, Charged) == (amount <= available)
        if isinstance(done, Charged):
            self.moved(account, -done.bonus_fen, -done.principal_fen)
            self.debits[done.charge_id] = ("charge_id", account, done.bonus_fen, done.principal_fen)

    def debits_now(self):
        """Every debit by its id: how a refund names it, whose it is, and how much of each part it took."""
        paid = [visit for visit in self.wallet.visits(limit=10_000) if visit.captured_fen]
        captured = {visit.id: ("visit_id", visit.account_id) for visit in paid}
        for visit_id, (name, account) in captured.items():
            if visit_id not in self.debits:
                lines = self.wallet.statement(account, 10_000)
                mine = [line for line in lines if line.visit_id == visit_id and line.kind == "capture"]
                parts = {line.part: -line.amount_fen for line in mine}
                self.debits[visit_id] = (name, account, parts.get("bonus", 0), parts.get("principal", 0))
        return self.debits

    @rule(data=st.data(), amount=st.sampled_from([1, 333, 20_000, 60_000]))
    def a_refund_is_asked_for(self, data, amount):
        debits = self.debits_now()
        if not debits:
            return
        debit = data.draw(st.sampled_from(sorted(debits)))
        name, account, bonus, principal = debits[debit]
        given = self.given_back(debit)
        done = self.ask(self.wallet.commands.refund, amount, "sorry", **{name: debit})
        left = bonus + principal - given
        if amount > left:
            assert done.code == "refund_above_captured"
            return
        assert isinstance(done, Refunded)
        assert done.refunded_fen == given + amount
        self.moved(account, done.bonus_fen, done.principal_fen)

    def given_back(self, debit):
        """What was given back of a debit, by all the answers there were."""
        refunded = [
            answer.amount_fen
            for *_, answer in self.asked
            if isinstance(answer, Refunded) and debit in (answer.visit_id, answer.charge_id)
        ]
        return sum(refunded) + self.reversed_of.get(debit, 0)

    @rule(data=st.data(), plate=st.sampled_from(PLATES))
    def a_line_is_reversed(self, data, plate):
        account = self.owner[plate]
        lines = self.wallet.statement(account, 10_000)
        if not lines:
            return
        line = data.draw(st.sampled_from(lines))
        before = self.wallet.balance(account)
        done = self.ask(self.wallet.commands.reverse, line.id, "wrong")
        after = self.wallet.balance(account)
        self.moved(account, after.bonus_fen - before.bonus_fen, after.principal_fen - before.principal_fen)
        if isinstance(done, Rejected):
            assert after == before
            return
        assert isinstance(done, Reversed)
        assert line.kind in ("capture", "charge", "bonus", "adjustment")
        if done.refund_id is not None:
            (debit,) = [d for d in self.debits_now() if d == line.visit_id or f"charge:{d}:" in line.name]
            self.reversed_of[debit] = done.amount_fen
            assert self.given_back(debit) == sum(self.debits[debit][2:])
        again = self.ask(self.wallet.commands.reverse, line.id, "wrong")
        assert again.code in ("already_reversed", "nothing_left")

    @rule(
        plate=st.sampled_from(PLATES),
        part=st.sampled_from(["principal", "bonus"]),
        change=st.sampled_from([-40_000, -1, 5, 9_000]),
    )
    def an_adjustment_is_proposed(self, plate, part, change):
        done = self.ask(self.wallet.commands.propose_adjustment, self.owner[plate], part, change, "counted")
        assert isinstance(done, Proposed)
        self.open_adjustments.append(done)

    @precondition(lambda self: self.open_adjustments)
    @rule(data=st.data(), actor=st.sampled_from(["wang", "li"]), approve=st.booleans())
    def an_adjustment_is_decided(self, data, actor, approve):
        proposed = data.draw(st.sampled_from(self.open_adjustments))
        done = self.ask(
            self.wallet.commands.decide_adjustment, proposed.adjustment_id, actor=actor, approve=approve
        )
        if actor == "wang":
            assert done.code in ("same_person", "already_decided")
        if isinstance(done, Adjusted):
            change = {proposed.part: proposed.change_fen}
            self.moved(proposed.account_id, change.get("bonus", 0), change.get("principal", 0))

    @precondition(lambda self: self.sightings)
    @rule(data=st.data())
    def an_operator_voids(self, data):
        visits = self.wallet.visits(limit=10_000)
        if visits:
            visit = data.draw(st.sampled_from(visits))
            done = self.ask(self.wallet.commands.void, visit.id, "asked")
            assert isinstance(done, Rejected) == (visit.state != "open")

    # Channel, cars and pumps --------------------------------------------------------------------------------

    @precondition(lambda self: self.payments)
    @rule(data=st.data(), off=st.sampled_from([0, 1]))
    def the_channel_tells_again(self, data, off):
        payment = data.draw(st.sampled_from(self.payments))
        self.wallet.channel_paid(replace(payment, amount_fen=payment.amount_fen + off), self.moment())

    @rule(
        plate=st.sampled_from([*PLATES, "京A99999", None]),
        pump=st.sampled_from([*PUMPS, None]),
        ago=SOON,
        chance=st.sampled_from([999_900, 990_000, 30_000]),
    )
    def a_car_is_seen(self, plate, pump, ago, chance):
        name = f"sighting-{next(self.names)}"
        fact = self.forecourt.sighting(plate, pump, max(0, self.now - ago), sighting_id=name)
        posterior = Posterior(((plate, chance),) if plate else (), 0)
        arrival = self.wallet.arrive(fact, posterior, self.moment())
        if plate not in self.bound:
            is_for_a_person = plate is None and pump is not None
            assert (arrival.match.outcome, arrival.hold_fen) == ("review" if is_for_a_person else "none", 0)
        self.sightings[name] = (fact, posterior, arrival)

    @precondition(lambda self: self.sightings)
    @rule(data=st.data())
    def a_sighting_is_repeated(self, data):
        fact, posterior, first = self.sightings[data.draw(st.sampled_from(sorted(self.sightings)))]
        again = self.wallet.arrive(fact, posterior, self.moment())
        assert (again.match, again.hold_fen, again.repeated) == (first.match, first.hold_fen, True)
        with pytest.raises(KeyReused):
            self.wallet.arrive(replace(fact, looks=fact.looks + 1), posterior, self.moment())

    @rule(pump=st.sampled_from(PUMPS), amount=AMOUNTS, ago=SOON, lasted=st.integers(0, 200))
    def a_pump_sells(self, pump, amount, ago, lasted):
        started = max(0, self.now - ago)
        sale = self.forecourt.sale(amount, pump, started, started + lasted, f"sale-{next(self.names)}")
        self.sales[sale.sale_id] = (sale, self.wallet.record_sale(sale, self.moment()))

    @precondition(lambda self: self.sales)
    @rule(data=st.data())
    def a_sale_is_repeated(self, data):
        sale, first = self.sales[data.draw(st.sampled_from(sorted(self.sales)))]
        again = self.wallet.record_sale(sale, self.moment())
        if first.state != "waiting":
            assert again == replace(first, repeated=True)
        self.sales[sale.sale_id] = (sale, replace(again, repeated=False))
        with pytest.raises(KeyReused):
            self.wallet.record_sale(replace(sale, grade="98"), self.moment())

    @precondition(lambda self: self.sightings)
    @rule(data=st.data())
    def a_car_leaves(self, data):
        name = data.draw(st.sampled_from(sorted(self.sightings)))
        left_at = self.left.setdefault(name, max(self.moment(), self.sightings[name][0].first_seen_at))
        self.wallet.depart(name, left_at, self.moment())

    @rule()
    def the_janitor_sweeps(self):
        for visit in self.wallet.sweep(self.moment()):
            assert (visit.state, visit.captured_fen) == ("voided", 0)

    @rule(plate=st.sampled_from(PLATES))
    def a_plate_is_unbound_or_bound(self, plate):
        if plate in self.bound:
            self.wallet.unbind_vehicle(plate, self.moment())
            self.bound.remove(plate)
        else:
            self.wallet.bind_vehicle(self.owner[plate], plate, "blue", f"b{next(self.names)}", self.moment())
            self.bound.add(plate)

    @invariant()
    def every_wallet_is_what_came_in_less_what_was_captured(self):
        visits = self.wallet.visits(limit=10_000)
        for account_id, recharged in self.recharged.items():
            balance = self.wallet.balance(account_id)
            mine = [visit for visit in visits if visit.account_id == account_id]
            by_hand = self.by_hand[account_id]
            assert balance.principal_fen + balance.bonus_fen == recharged + sum(by_hand.values()) - sum(
                visit.captured_fen for visit in mine
            )
            assert balance.held_fen == sum(visit.hold_fen for visit in mine if visit.state == "open")
            assert balance.available_fen >= 0

    @invariant()
    def no_visit_and_no_sale_pays_twice_or_above_its_amount(self):
        paid = [visit for visit in self.wallet.visits(limit=10_000) if visit.captured_fen]
        assert len({visit.sale_id for visit in paid}) == len(paid)
        for visit in paid:
            assert visit.captured_fen <= min(visit.hold_fen, self.sales[visit.sale_id][0].amount_fen)

    def teardown(self):
        self.now += 1_000_000
        self.wallet.sweep(self.moment())
        self.forecourt.must_add_up()
        assert all(self.wallet.balance(account_id).held_fen == 0 for account_id in self.recharged)
        assert {visit.state for visit in self.wallet.visits()} <= {"captured", "voided"}
        settled = [self.wallet.sale("demo", name)[1].state for name in self.sales]
        assert "waiting" not in settled
        self.wallet.close()


@pytest.fixture
def prepare(tmp_path):
    """Copies of one ledger without customers: cheaper than making its tables each time."""
    open_wallet(f"sqlite:///{tmp_path}/empty.db").close()
    numbers = itertools.count(1)

    def copy():
        path = tmp_path / f"day-{next(numbers)}.db"
        shutil.copy(tmp_path / "empty.db", path)
        return f"sqlite:///{path}"

    return copy


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_random_days_on_postgresql_lose_and_double_nothing(engine, database_url, open_forecourt):
    class Today(Day):
        def open_ledger(self):
            with engine.begin() as connection:
                connection.execute(text("SET LOCAL session_replication_role = replica"))
                for table in metadata.sorted_tables:
                    connection.execute(table.delete())
            return open_forecourt(database_url)

    run_state_machine_as_test(
        Today,
        settings=settings(
            max_examples=4,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_random_days_lose_and_double_nothing(prepare, open_forecourt):
    class Today(Day):
        def open_ledger(self):
            return open_forecourt(prepare())

    run_state_machine_as_test(
        Today,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
