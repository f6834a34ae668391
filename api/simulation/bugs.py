"""Bugs planted on purpose, one for each rule: the simulation must find every one of them.

Each is a change of one function of the wallet, made while the simulation runs and taken back afterwards. What
stands in for a function takes what that takes, used or not.
"""

# ruff: noqa: ARG001, ARG005

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from wallet import decide, departures, objections, recharge, sales, settling, twins, visits
from wallet.store import balances, database, debits, forecourt, people, selling

Change = tuple[object, str, Callable[[Any], Any]]


@dataclass(frozen=True, slots=True)
class Bug:
    """A planted bug. breaks: the rule it takes away. changes: (owner, name, new value made of the old)."""

    name: str
    breaks: str
    changes: tuple[Change, ...]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The wallet with this bug in it."""
        before = [(owner, name, getattr(owner, name)) for owner, name, _ in self.changes]
        try:
            for (owner, name, old), (_, _, make) in zip(before, self.changes, strict=True):
                setattr(owner, name, make(old))
            yield
        finally:
            for owner, name, old in before:
                setattr(owner, name, old)


# Sales and holds --------------------------------------------------------------------------------------------


def _settles_a_repeated_sale(old: Callable[..., Any]) -> Callable[..., Any]:
    def record_sale(connection: Any, sale: Any, rules: Any, new_id: Any, now: Any) -> Any:
        result = old(connection, sale, rules, new_id, now)
        if result.repeated and result.state == "captured":
            visit: Any = forecourt.find_visit(connection, result.visit_id)
            return sales.settle(connection, sale, visit, new_id, now)
        return result

    return record_sale


def _takes_any_body(old: Callable[..., Any]) -> Callable[..., Any]:
    def record_sale(connection: Any, sale: Any, rules: Any, new_id: Any, now: Any) -> Any:
        known = selling.find_sale(connection, sale.station, sale.sale_id)
        return replace(known[1], repeated=True) if known else old(connection, sale, rules, new_id, now)

    return record_sale


def _captures_above_the_hold(old: Callable[..., Any]) -> Callable[..., Any]:
    def raise_hold(connection: Any, hold: Any, amount_fen: int) -> None:
        old(connection, hold, hold.amount_fen)

    return raise_hold


def _keeps_the_rest_held(old: Callable[..., Any]) -> Callable[..., Any]:
    def capture(held: Any, name: str, station: str, hold_fen: int, taken_fen: int) -> Any:
        done = old(held, name, station, hold_fen, taken_fen)
        return replace(done, wallet=replace(done.wallet, held_fen=held.held_fen - taken_fen))

    return capture


def _keeps_the_hold_of_a_void(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda wallet, amount_fen: wallet


def _forgets_the_zero_sale(old: Callable[..., Any]) -> Callable[..., Any]:
    def settle(
        connection: Any, sale: Any, visit: Any, new_id: Any, now: Any, *within: Any, **new: Any
    ) -> Any:
        if sale.amount_fen == 0:
            return selling.settle_sale(connection, sale, "void", visit.id, 0, (), now, **new)
        return old(connection, sale, visit, new_id, now, *within, **new)

    return settle


def _looks_at_every_pump(old: Callable[..., Any]) -> Callable[..., Any]:
    def find_and_settle(connection: Any, sale: Any, *given: Any) -> Any:
        result = old(connection, sale, *given)
        if result.state != "waiting":
            return result
        other = replace(sale, pump="2" if sale.pump == "1" else "1")
        return old(connection, other, *given)

    return find_and_settle


def _never_sees_another_car(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given: None


def _settles_a_late_sale_twice(old: Callable[..., Any]) -> Callable[..., Any]:
    def settle_found(connection: Any, sale: Any, visit: Any, *given: Any) -> Any:
        result = old(connection, sale, visit, *given)
        if result is not None and result.state == "captured":
            sales.settle(connection, sale, visit, *given[-2:])
        return result

    return settle_found


def _captures_half(old: Callable[..., Any]) -> Callable[..., Any]:
    def add_transfers(connection: Any, moved: Any, ids: Any, now: Any, **of: Any) -> Any:
        return old(connection, tuple(moved)[:1], ids, now, **of)

    return add_transfers


# Visits -----------------------------------------------------------------------------------------------------


def _joins_every_stay(old: Callable[..., Any]) -> Callable[..., Any]:
    def stay_of(sighting: Any, known: Any, rules: Any) -> Any:
        found = old(sighting, known, rules)
        usable = [visit for visit in known if visit.state != "voided"]
        return found or max(usable, key=lambda visit: (visit.opened_at, visit.id), default=None)

    return stay_of


def _joins_no_stay(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda sighting, known, rules: None


def _sweeps_at_once(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda rules, now: (now, now)


def _never_sweeps(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given: None


def _reserves_what_is_not_there(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda available_fen, wanted, rules: rules.hold_fen


def _forgets_to_reserve(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda wallet, amount_fen: wallet


def _forgets_to_unbind(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda connection, vehicle_id, now: None


# Decision ---------------------------------------------------------------------------------------------------


def _takes_near_for_the_same(old: Callable[..., Any]) -> Callable[..., Any]:
    def decide_(sighting: Any, likely: Any, *given: Any) -> Any:
        return old(replace(sighting, text=likely.vehicle.plate, wrong_ppm=0), _sure(likely), *given)

    return decide_


def _sure(likely: Any) -> Any:
    return replace(likely, ppm=1_000_000, runner_up=None, runner_up_ppm=0)


def _ignores_the_colour(old: Callable[..., Any]) -> Callable[..., Any]:
    def decide_(sighting: Any, likely: Any, *given: Any) -> Any:
        return old(replace(sighting, colour=likely.vehicle.colour), likely, *given)

    return decide_


def _ignores_how_sure_it_is(old: Callable[..., Any]) -> Callable[..., Any]:
    def decide_(sighting: Any, likely: Any, *given: Any) -> Any:
        decision = old(replace(sighting, wrong_ppm=0), _sure(likely), *given)
        return replace(decision, wrong_ppm=likely.wrong_ppm)

    return decide_


def _without_twins(old: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(objection for objection in old if objection is not twins.objections)


# Money in and back ------------------------------------------------------------------------------------------


def _counts_a_payment_twice(_: Callable[..., Any]) -> Callable[..., Any]:
    def refusal(payment: Any, order: Any) -> str | None:
        return "order_unknown" if order is None else None

    return refusal


def _forgets_refunds(old: Callable[..., Any]) -> Callable[..., Any]:
    def given_back(connection: Any, debit: Any) -> Any:
        found = old(connection, debit)
        return replace(found, refunded_fen=0, bonus_fen=0, is_reversed=False)

    return given_back


def _refunds_above(old: Callable[..., Any]) -> Callable[..., Any]:
    def find_capture(connection: Any, visit_id: str) -> Any:
        found = old(connection, visit_id)
        if found is None:
            return None
        return replace(found, amount_fen=found.amount_fen * 2, principal_fen=found.principal_fen * 2)

    return find_capture


def _gives_nothing_back(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given, **named: None


# The transaction --------------------------------------------------------------------------------------------


def _commits_what_was_cut(_: Callable[..., Any]) -> Callable[..., Any]:
    def write(store: Any, use_case: Any) -> Any:
        with store.engine.connect() as connection:
            connection = connection.execution_options(platepay_writes=True)
            with connection.begin():
                try:
                    value = use_case(connection)
                except Exception:
                    connection.commit()
                    raise
            return value

    return write


def _answers_before_it_is_written(old: Callable[..., Any]) -> Callable[..., Any]:
    count = [0]

    def write(store: Any, use_case: Any) -> Any:
        count[0] += 1
        if count[0] % 40:
            return old(store, use_case)
        with store.engine.connect() as connection:
            connection = connection.execution_options(platepay_writes=True)
            with connection.begin() as transaction:
                value = use_case(connection)
                transaction.rollback()
        return value

    return write


def _bug(name: str, breaks: str, *changes: Change) -> Bug:
    return Bug(name, breaks, changes)


BUGS: Final[tuple[Bug, ...]] = (
    _bug("sale-settled-again", "a sale pays once", (sales, "record_sale", _settles_a_repeated_sale)),
    _bug("any-body", "the same id with another body is refused", (sales, "record_sale", _takes_any_body)),
    _bug("above-hold", "capture within the hold", (balances, "raise_hold", _captures_above_the_hold)),
    _bug("rest-stays-held", "the rest of a hold is free", (settling, "capture", _keeps_the_rest_held)),
    _bug("void-stays-held", "a void frees the hold", (settling, "release", _keeps_the_hold_of_a_void)),
    _bug("zero-sale-open", "a zero sale ends its visit", (sales, "settle", _forgets_the_zero_sale)),
    _bug("any-pump", "the pump where this car stands", (sales, "find_and_settle", _looks_at_every_pump)),
    _bug(
        "next-car-unseen", "another car came first", (forecourt, "newest_stranger", _never_sees_another_car)
    ),
    _bug("late-sale-twice", "a late sale pays once", (visits, "settle_found", _settles_a_late_sale_twice)),
    _bug("half-a-capture", "a capture moves all of it", (balances, "add_transfers", _captures_half)),
    _bug("joins-every-stay", "a new stay is a new visit", (visits, "stay_of", _joins_every_stay)),
    _bug("joins-no-stay", "one hold a stay", (visits, "stay_of", _joins_no_stay)),
    _bug("sweeps-at-once", "a sale has its grace", (departures, "overdue_before", _sweeps_at_once)),
    _bug("never-sweeps", "every visit ends", (departures, "end_if_overdue", _never_sweeps)),
    _bug("reserves-too-much", "never overdrawn", (decide, "hold_for", _reserves_what_is_not_there)),
    _bug("forgets-to-reserve", "held is the live holds", (visits, "reserve", _forgets_to_reserve)),
    _bug("unbound-pays", "an unbound plate never pays", (people, "unbind", _forgets_to_unbind)),
    _bug("near-is-same", "near is not the same", (decide, "decide", _takes_near_for_the_same)),
    _bug("any-colour", "the colour must agree", (decide, "decide", _ignores_the_colour)),
    _bug("no-twins", "a twin needs a second proof", (objections, "OBJECTIONS", _without_twins)),
    _bug("any-doubt", "an unsure reading moves nothing", (decide, "decide", _ignores_how_sure_it_is)),
    _bug("paid-twice", "a payment counts once", (recharge, "_refusal", _counts_a_payment_twice)),
    _bug("refunds-forgotten", "refunds within the capture", (debits, "given_back", _forgets_refunds)),
    _bug("refund-above", "no refund above what was taken", (debits, "find_capture", _refunds_above)),
    _bug(
        "reversal-keeps-money",
        "a reversal returns it",
        (balances, "save_wallet", _gives_nothing_back),
    ),
    _bug("half-commits", "all of a step or nothing", (database.Store, "write", _commits_what_was_cut)),
    _bug(
        "answers-too-soon",
        "what is acknowledged is there",
        (database.Store, "write", _answers_before_it_is_written),
    ),
)
