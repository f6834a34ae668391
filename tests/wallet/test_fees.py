"""Fees: exactly what the terms say of each sale, once, whenever and however often it is settled."""

from __future__ import annotations

import random
import re
import threading
from dataclasses import astuple
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, text

from wallet import refunds
from wallet.command_facts import Rejected
from wallet.errors import AlreadySet, InvalidAmount, InvalidFact, KeyReused
from wallet.fee_facts import FeesSettled, FeeTerms
from wallet.fee_settling import Fees, transfer_of
from wallet.fees import Move, count, fee_of, in_force
from wallet.fingerprint import body_hash
from wallet.once import Command
from wallet.service import new_uuid7, open_wallet

KEY = b"the key of this service"
LATER = datetime(2099, 1, 1, tzinfo=UTC)
START = datetime(2026, 11, 21, tzinfo=UTC)


class Books:
    """A station with short words for charges, terms and settlements."""

    def __init__(self, wallet, forecourt):
        self.wallet, self.forecourt = wallet, forecourt
        self.account_id = forecourt.customer("粤B00001", 400_000)
        self.numbers = iter(range(10_000))

    def by(self, seconds=0, **said):
        return {
            "key": f"k{next(self.numbers)}",
            "actor": "wang",
            "now": self.forecourt.at(seconds),
            **said,
        }

    def agree(self, rate_ppm, fixed_fen=0, seconds=0, station="demo"):
        return self.wallet.fees.set_terms(
            station, rate_ppm, "contract", fixed_fen=fixed_fen, **self.by(seconds)
        )

    def charge(self, amount_fen, seconds=10, station="demo"):
        by = self.by(seconds)
        return self.wallet.commands.charge(self.account_id, station, amount_fen, "wash", **by).charge_id

    def refund(self, charge_id, amount_fen, seconds=20):
        return self.wallet.commands.refund(amount_fen, "dry", charge_id=charge_id, **self.by(seconds))

    def settle(self, seconds=100, *, seal=True, **how):
        if seal:
            self.wallet.proving.seal(KEY, everything=True)
        return self.wallet.fees.settle(**{**self.by(seconds), **how})

    def kept_fen(self, station="demo"):
        return self.wallet.fees.funds(station).fee_fen


@pytest.fixture
def books(wallet, forecourt):
    return Books(wallet, forecourt)


# As arithmetic ----------------------------------------------------------------------------------------------


def _terms(rate_ppm, fixed_fen=0, seconds=0, station="demo"):
    since = START + timedelta(seconds=seconds)
    return FeeTerms(f"{station}-{seconds}", station, rate_ppm, fixed_fen, since, "test", "wang", since)


@pytest.mark.parametrize(
    ("rate_ppm", "fixed_fen", "left_fen", "fee_fen"),
    [
        (6_000, 0, 24_531, 147),
        (6_000, 0, 166, 0),
        (6_000, 0, 167, 1),
        (6_000, 30, 10_000, 90),
        (6_000, 30, 0, 0),
        (6_000, 30, 20, 20),
        (1_000_000, 30, 20, 20),
        (1, 0, 10**12, 10**6),
        (0, 0, 500, 0),
    ],
)
def test_a_fee_is_its_share_rounded_down_and_never_above_the_sale(rate_ppm, fixed_fen, left_fen, fee_fen):
    assert fee_of(_terms(rate_ppm, fixed_fen), left_fen) == fee_fen


def test_terms_hold_from_their_moment_until_the_next():
    terms = [_terms(1, seconds=0), _terms(2, seconds=10)]
    moments = [START + timedelta(seconds=seconds) for seconds in (-1, 0, 9, 10, 11)]
    found = [in_force(terms, moment) for moment in moments]
    assert [one and one.rate_ppm for one in found] == [None, 1, 1, 2, 2]


SALES = st.lists(
    st.tuples(
        st.integers(1, 60_000),
        st.integers(0, 40),
        st.lists(st.integers(1, 30_000), max_size=4),
        st.integers(0, 2**32),
    ),
    max_size=25,
)


@given(
    SALES,
    st.lists(st.tuples(st.integers(0, 1_000_000), st.integers(0, 99)), min_size=1, max_size=4),
    st.lists(st.integers(0, 60), max_size=6),
)
def test_settlements_together_are_the_fees_of_what_is_left_however_they_are_cut(sales, agreed, cuts):
    """Sales and their refunds lie in blocks in any order; the settlements end at any blocks."""
    terms = {"demo": [_terms(rate, fixed, seconds * 10) for seconds, (rate, fixed) in enumerate(agreed)]}
    moves, wanted = [], 0
    for amount_fen, seconds, backs, seed in sales:
        chance, at = random.Random(seed), START + timedelta(seconds=seconds)
        moves.append(Move("demo", chance.randint(1, 60), at, 0, amount_fen))
        left_fen = amount_fen
        for back_fen in backs:
            if (part_fen := min(back_fen, left_fen)) > 0:
                moves.append(Move("demo", chance.randint(1, 60), at, left_fen, left_fen - part_fen))
                left_fen -= part_fen
        wanted += fee_of(in_force(terms["demo"], at), left_fen)
    fees_fen, after = 0, 0
    for end in sorted({*cuts, 60}):
        due = {}
        count(due, [move for move in moves if move.block <= end], terms, {"demo": after})
        fees_fen += sum(one.total().fee_fen for one in due.values())
        after = end
    assert fees_fen == wanted


# Settling ---------------------------------------------------------------------------------------------------


def test_moves_are_counted_by_terms_and_those_that_do_not_count_hide_no_other():
    terms = {
        "demo": [_terms(100_000, seconds=0), _terms(200_000, seconds=10)],
        "new": [_terms(1, seconds=50)],
    }
    early, late = START + timedelta(seconds=5), START + timedelta(seconds=15)
    moves = [
        Move("demo", 1, late, 0, 1_000),  # settled before
        Move("none", 2, early, 0, 1_000),  # no terms at all
        Move("new", 2, early, 0, 1_000),  # before its terms
        Move("demo", 2, late, 0, 1_000),
        Move("demo", 2, late, 0, 2_000),
        Move("demo", 3, early, 0, 500),
        Move("demo", 3, early, 500, 300),
        Move("demo", 3, early, 300, 0),
    ]
    due = {}
    count(due, moves, terms, {"demo": 1})
    assert list(due) == ["demo"]
    assert due["demo"].latest_at == late
    found = {name: astuple(one) for name, one in due["demo"].by_terms.items()}
    assert found == {"demo-0": (1, 2, 500, 500, 0), "demo-10": (2, 0, 3_000, 0, 600)}
    assert astuple(due["demo"].total()) == (3, 2, 3_500, 500, 600)


def test_the_first_block_of_a_station_that_was_never_settled_counts():
    due = {}
    count(due, [Move("demo", 1, START, 0, 1_000)], {"demo": [_terms(100_000)]}, {})
    assert due["demo"].total().fee_fen == 100


def test_a_sale_of_one_fen_may_cost_its_fen():
    assert fee_of(_terms(0, 5), 1) == 1


def test_a_station_without_terms_has_no_fee(wallet, books):
    books.charge(10_000)
    done = books.settle()
    assert (done.settlements, done.fee_fen, wallet.fees.settlements()) == (0, 0, [])
    assert not wallet.fees.settle_nightly(LATER)
    assert wallet.fees.funds("demo").revenue_fen == 10_000


def test_every_kind_of_sale_counts_once_and_the_fee_moves_from_revenue(wallet, forecourt, books):
    books.agree(6_000, 10)
    wallet.commands.give_bonus(books.account_id, 12_000, "spring", **books.by(1))
    # A capture and a charge that the bonus pays, and one of each that both parts pay.
    forecourt.arrive("粤B00001", pump="1")
    forecourt.sell(10_000, pump="1")
    books.charge(5_000)
    forecourt.customer("粤B00002", 50_000)
    (other,) = [one.id for one in wallet.accounts() if one.id != books.account_id]
    wallet.commands.give_bonus(other, 777, "spring", **books.by(1))
    forecourt.arrive("粤B00002", pump="2", seconds=5)
    forecourt.sell(24_531, pump="2")
    refused = wallet.commands.charge(books.account_id, "demo", 600_000, "wash", **books.by(10))
    assert isinstance(refused, Rejected)
    done = books.settle()
    fees_fen = [10 + 60, 10 + 30, 10 + 147]
    assert (done.settlements, done.debits, done.base_fen) == (1, 3, 39_531)
    assert done.fee_fen == sum(fees_fen)
    funds = wallet.fees.funds("demo")
    assert (funds.revenue_fen, funds.fee_fen) == (39_531 - 267, 267)
    (settled,) = wallet.fees.settlements("demo")
    assert (settled.number, settled.after_block, settled.debits) == (1, None, 3)
    assert books.settle().settlements == 0


def test_parts_of_one_sale_in_two_blocks_are_one_sale(wallet, forecourt, books):
    """Each block seals one row, and settlements are cut between any two of them."""
    books.agree(100_000, 7)
    wallet.commands.give_bonus(books.account_id, 333, "spring", **books.by(1))
    forecourt.arrive("粤B00001", pump="1")
    forecourt.sell(1_001, pump="1")
    wallet.commands.give_bonus(books.account_id, 333, "spring", **books.by(1))
    charged = books.charge(999)
    books.refund(charged, 500)
    wallet.proving.seal(KEY, most=1)
    assert wallet.proving.head().number >= 10
    for number in range(1, wallet.proving.head().number + 1):
        through = wallet.proving.block(number).sealed_at
        books.settle(seal=False, through=through, now=LATER)
    settled = wallet.fees.settlements("demo")
    assert sum(one.debits for one in settled) == 2
    assert books.kept_fen() == (7 + 100) + (7 + 49)


def test_a_refund_after_settlement_brings_the_fee_back(wallet, books):
    books.agree(100_000, 50)
    first, second = books.charge(10_000), books.charge(333)
    assert books.settle().fee_fen == 1_050 + 83
    books.refund(first, 4_000)
    books.refund(second, 333)
    done = books.settle()
    assert (done.debits, done.refunds, done.base_fen, done.fee_fen) == (0, 2, -4_333, -483)
    (back, _) = wallet.fees.settlements("demo")
    with wallet.engine.connect() as connection:
        query = text("SELECT from_account, to_account, amount_fen FROM transfers WHERE id = :id")
        moved = connection.execute(query, {"id": back.transfer_id}).one()
    assert tuple(moved) == ("fee:demo", "revenue:demo", 483)
    assert books.kept_fen() == fee_of(_terms(100_000, 50), 6_000)


def test_a_rate_that_changes_counts_from_its_moment_and_refunds_keep_the_old_one(wallet, books):
    books.agree(100_000)
    early = books.charge(1_000, seconds=10)
    assert not isinstance(books.agree(200_000, seconds=50), Rejected)
    books.charge(1_000, seconds=49)
    books.charge(1_000, seconds=50)
    assert books.settle().fee_fen == 100 + 100 + 200
    (settled,) = wallet.fees.settlements("demo")
    assert [(line.debits, line.fee_fen) for line in settled.lines] == [(2, 200), (1, 200)]
    books.refund(early, 1_000, seconds=90)
    books.charge(10, seconds=95)
    assert books.settle().fee_fen == -100 + 2


def test_terms_may_not_begin_before_what_is_settled_or_in_the_past(wallet, books):
    books.agree(100_000)
    books.charge(1_000, seconds=500)
    books.settle(600)
    refused = books.agree(1, seconds=500)
    assert isinstance(refused, Rejected)
    assert refused.code == "sales_settled"
    assert f"Sales up to {books.forecourt.at(500).isoformat()} are settled" in refused.text
    assert not isinstance(books.agree(1, seconds=501), Rejected)
    with pytest.raises(AlreadySet):
        books.agree(2, seconds=501)
    with pytest.raises(InvalidFact, match="valid_from must not be in the past"):
        wallet.fees.set_terms("demo", 1, "x", valid_from=books.forecourt.at(600), **books.by(601))


@pytest.mark.parametrize(
    "said",
    [{"rate_ppm": -1}, {"rate_ppm": 1_000_001}, {"rate_ppm": 0.5}, {"fixed_fen": -1}, {"reason": " "}],
)
def test_terms_that_make_no_sense_are_refused(wallet, books, said):
    terms = {"station": "demo", "rate_ppm": 1, "reason": "x", "fixed_fen": 0, **said}
    with pytest.raises((InvalidFact, InvalidAmount)):
        wallet.fees.set_terms(**terms, **books.by())
    assert wallet.fees.terms() == []


def test_a_settlement_ends_where_the_blocks_of_its_moment_end(wallet, books):
    books.agree(100_000)
    books.charge(1_000)
    wallet.proving.seal(KEY, everything=True)
    through = wallet.proving.head().sealed_at + timedelta(milliseconds=1)
    with wallet.engine.connect() as connection:
        while wallet.engine.dialect.name == "sqlite":
            passed = connection.execute(text("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")).scalar_one()
            if datetime.fromisoformat(passed).replace(tzinfo=UTC) > through:
                break
    books.charge(2_000)
    wallet.proving.seal(KEY, everything=True)
    assert books.settle(through=through, seal=False, now=LATER).base_fen == 1_000
    assert books.settle(through=through, seal=False, now=LATER).settlements == 0
    assert books.settle(seal=False).base_fen == 2_000
    with pytest.raises(InvalidFact, match="through must not be later than now"):
        books.settle(through=LATER)


def test_stations_are_settled_together_or_one_alone(wallet, books):
    for number, station in enumerate(("demo", "north", "south")):
        books.agree(100_000, station=station)
        books.charge(1_000 * (number + 1), station=station)
    books.charge(9_000, station="free")
    assert (books.settle(station="north").fee_fen, books.kept_fen("demo")) == (200, 0)
    done = books.settle()
    assert (done.settlements, done.fee_fen) == (2, 100 + 300)
    assert {one.station: one.number for one in wallet.fees.settlements()} == {
        "demo": 1,
        "north": 1,
        "south": 1,
    }
    books.charge(500, station="north")
    assert books.settle().settlements == 1
    shown = wallet.fees.settlements(limit=2)
    rest = wallet.fees.settlements(before=(shown[-1].station, shown[-1].number))
    pages = [(one.station, one.number) for one in (*shown, *rest)]
    assert pages == [("south", 1), ("north", 2), ("north", 1), ("demo", 1)]
    assert [(one.station, one.number) for one in wallet.fees.settlements("north")] == [
        ("north", 2),
        ("north", 1),
    ]


def test_the_night_settles_once_up_to_midnight(wallet, books):
    books.agree(100_000)
    books.charge(1_000)
    wallet.proving.seal(KEY, everything=True)
    assert wallet.fees.settle_nightly(LATER + timedelta(hours=2))
    assert not wallet.fees.settle_nightly(LATER + timedelta(hours=3))
    (settled,) = wallet.fees.settlements()
    assert (settled.fee_fen, settled.actor, settled.command_key) == (100, "nightly", "nightly:2099-01-01")


def test_the_night_counts_what_was_sealed_by_midnight_utc_and_nothing_after(wallet, books):
    books.agree(100_000)
    books.agree(5, station="north")
    assert [one.station for one in wallet.fees.terms("demo")] == ["demo"]
    books.charge(1_000)
    wallet.proving.seal(KEY, everything=True)
    day = wallet.proving.head().sealed_at.astimezone(UTC)
    evening = day.replace(hour=23, minute=59, second=59, microsecond=999_999)
    assert wallet.fees.settle_nightly(evening.astimezone(timezone(timedelta(hours=8))))
    assert wallet.fees.settlements() == []
    night = evening + timedelta(hours=3, minutes=4, seconds=5)
    assert wallet.fees.settle_nightly(night)
    (settled,) = wallet.fees.settlements()
    assert (settled.fee_fen, settled.actor) == (100, "nightly")
    # It is the command of that midnight to the microsecond: with another time the name would be refused.
    midnight = night.replace(hour=0, minute=0, second=0, microsecond=0)
    by = {"key": f"nightly:{midnight.date()}", "actor": "li", "now": night}
    assert wallet.fees.settle(through=midnight, **by).fee_fen == 100
    assert len(wallet.fees.settlements()) == 1


@pytest.mark.parametrize(("blocks", "settled"), [(3, 0), (4, 1)])
def test_a_station_that_sells_nothing_is_settled_once_it_is_too_many_blocks_behind(
    wallet, books, blocks, settled
):
    wallet.proving.seal(KEY, everything=True)
    before = wallet.proving.head().number
    books.agree(100_000, station="idle")
    wallet.proving.seal(KEY, everything=True)
    for number in range(before + blocks - wallet.proving.head().number):
        books.charge(100 + number)
        wallet.proving.seal(KEY, everything=True)
    wallet.fees.idle_blocks = before + 3
    assert wallet.proving.head().number == before + blocks
    assert books.settle(seal=False).settlements == settled
    assert books.settle(seal=False).settlements == 0


def test_settling_one_station_leaves_the_idle_ones_alone(wallet, books):
    wallet.fees.idle_blocks = 0
    for station in ("demo", "north"):
        books.agree(100_000, station=station)
    books.charge(1_000, station="north")
    assert books.settle(station="north").settlements == 1
    assert [one.station for one in wallet.fees.settlements()] == ["north"]
    with wallet.engine.connect() as connection:
        query = text("SELECT station FROM transfers WHERE kind = 'fee'")
        assert connection.execute(query).scalars().all() == ["north"]


def test_terms_begin_when_they_say_or_now_and_cost_nothing_that_is_not_said(wallet, books):
    later = books.forecourt.at(900)
    wallet.fees.set_terms("demo", 0, "free", **books.by(5))
    wallet.fees.set_terms("demo", 7, "contract", valid_from=later, **books.by(6))
    assert [(one.rate_ppm, one.fixed_fen, one.valid_from) for one in wallet.fees.terms("demo")] == [
        (7, 0, later),
        (0, 0, books.forecourt.at(5)),
    ]


def test_what_is_sealed_by_now_may_be_settled_now(wallet, books):
    books.agree(100_000)
    now = books.forecourt.at(100)
    assert books.settle(through=now, now=now).settlements == 0
    with pytest.raises(InvalidFact):
        books.settle(through=now + timedelta(microseconds=1), now=now)


@pytest.mark.parametrize(
    ("fee_fen", "source", "sink"), [(1, "revenue:demo", "fee:demo"), (-1, "fee:demo", "revenue:demo")]
)
def test_a_fee_of_one_fen_goes_from_the_revenue_and_comes_back_to_it(fee_fen, source, sink):
    moved = transfer_of("demo", 1, fee_fen)
    assert (moved.from_account, moved.to_account, moved.amount_fen) == (source, sink, 1)


def test_a_station_that_sells_nothing_is_not_counted_from_the_beginning_each_night(wallet, books):
    wallet.fees.idle_blocks = 3
    books.agree(100_000, station="idle")
    books.charge(1_000)
    wallet.proving.seal(KEY, most=1)
    assert books.settle(seal=False).settlements == 1
    (empty,) = wallet.fees.settlements("idle")
    assert (empty.debits, empty.fee_fen, empty.latest_at, empty.lines) == (0, 0, None, ())
    assert books.settle(seal=False).settlements == 0
    books.charge(1_000, station="idle")
    assert books.settle().fee_fen == 100


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_counting_and_proving_look_only_at_the_blocks_they_are_about(wallet, books):
    books.agree(100_000)
    books.charge(1_000)
    asked = []

    def note(_connection, _cursor, sql, parameters, *_):
        asked.append((sql, parameters))

    event.listen(wallet.engine, "before_cursor_execute", note)
    books.settle()
    assert wallet.audit().ok
    event.remove(wallet.engine, "before_cursor_execute", note)
    looks = [one for one in asked if "sealed_table || " in one[0]]
    assert len(looks) == 4
    with wallet.engine.connect() as connection:
        for sql, parameters in looks:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters).all()
            steps = [step[3] for step in plan if re.search(r"(SEARCH|SCAN) (s|seals)\b", step[3])]
            assert steps
            assert all("(block>? AND block<?)" in step for step in steps), steps


# Names ------------------------------------------------------------------------------------------------------


def test_the_same_settlement_again_gets_the_first_answer(wallet, books):
    books.agree(100_000)
    books.charge(1_000)
    first = books.settle(key="night")
    assert isinstance(first, FeesSettled)
    books.charge(5_000)
    assert books.settle(key="night", actor="li") == first
    assert books.kept_fen() == 100
    assert books.settle().fee_fen == 500


def test_terms_and_settlements_keep_their_names_and_the_hashes_of_their_bodies_for_ever(wallet, books):
    """Whoever repeats a command after an upgrade must find its answer."""
    wallet.fees.set_terms("demo", 6_000, "contract", fixed_fen=30, valid_from=LATER, **books.by(key="t"))
    books.settle(key="s", station="demo", through=books.forecourt.at(9))
    with wallet.engine.connect() as connection:
        kept = connection.execute(text("SELECT scope, idempotency_key, body_hash FROM commands")).all()
    said = {"rate_ppm": 6_000, "fixed_fen": 30, "valid_from": LATER, "reason": "contract"}
    assert {tuple(row) for row in kept} == {
        ("fee-terms", "t", body_hash({"station": "demo", **said})),
        ("fee-settlement", "s", body_hash({"station": "demo", "through": books.forecourt.at(9)})),
    }


def test_a_name_with_another_body_is_refused_and_written_down(wallet, books):
    books.agree(100_000)
    books.settle(key="night")
    with pytest.raises(KeyReused):
        books.settle(key="night", station="demo")
    by = books.by(5, key="terms")
    done = wallet.fees.set_terms("demo", 5, "contract", **by)
    assert wallet.fees.set_terms("demo", 5, "contract", **{**by, "now": LATER}) == done
    with pytest.raises(KeyReused):
        wallet.fees.set_terms("demo", 6, "contract", **by)
    found = {(one.scope, one.key) for one in wallet.commands.key_conflicts()}
    assert found == {("fee-settlement", "night"), ("fee-terms", "terms")}
    assert [one.rate_ppm for one in wallet.fees.terms("demo")] == [5, 100_000]


# At once, late, and interrupted -----------------------------------------------------------------------------


def test_a_station_settled_by_many_at_once_is_settled_once(wallet, forecourt, books, database_url):
    books.agree(100_000)
    for _ in range(5):
        books.charge(1_000)
    wallet.proving.seal(KEY, everything=True)
    other = open_wallet(database_url)
    answers, start = [], threading.Barrier(8)

    def settle(number):
        start.wait()
        service = (wallet, other)[number % 2]
        by = {"key": f"one-{number // 2}", "actor": "wang", "now": forecourt.at(100)}
        answers.append(service.fees.settle(**by))

    threads = [threading.Thread(target=settle, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert len(answers) == 8
    assert {one.fee_fen for one in answers} == {0, 500}
    (settled,) = wallet.fees.settlements()
    assert (settled.debits, books.kept_fen()) == (5, 500)


def test_sales_go_on_while_fees_are_settled_and_each_is_counted_once(wallet, forecourt, books):
    books.agree(100_000)
    over = threading.Event()

    def keep_settling():
        while not over.is_set():
            wallet.proving.seal(KEY)
            books.settle(seal=False)

    settler = threading.Thread(target=keep_settling)
    settler.start()
    for _ in range(60):
        books.refund(books.charge(1_000), 300)
    over.set()
    settler.join()
    books.settle()
    settled = wallet.fees.settlements("demo")
    assert (sum(one.debits for one in settled), sum(one.refunds for one in settled)) == (60, 60)
    assert books.kept_fen() == 60 * 70


class Between:
    """Does something once, between two statements of the transaction that counts fees: after its nth."""

    def __init__(self, wallet, number, work):
        self.wallet, self.number, self.work = wallet, number, work
        self.seen, self.is_counting, self.is_done = 0, False, False
        self.hooks = (("after_cursor_execute", self._after), ("commit", self._over))

    def _after(self, _connection, _cursor, statement, *_):
        self.is_counting = self.is_counting or "FROM fee_terms" in statement
        if not self.is_counting or self.is_done:
            return
        if self.seen == self.number:
            self.is_done = True
            self.work()
        self.seen += 1

    def _over(self, _connection):
        self.is_done = self.is_done or self.is_counting

    def __enter__(self):
        for name, hook in self.hooks:
            event.listen(self.wallet.engine, name, hook)
        return self

    def __exit__(self, *_):
        for name, hook in self.hooks:
            event.remove(self.wallet.engine, name, hook)


@pytest.mark.parametrize("number", range(6))
def test_a_sale_under_new_terms_between_two_reads_of_the_count_costs_what_they_say(wallet, books, number):
    books.agree(100_000)
    books.charge(1_000)
    wallet.proving.seal(KEY, everything=True)

    def sell_at_twice_the_rate():
        books.agree(200_000, seconds=50)
        books.charge(1_000, seconds=60)
        wallet.proving.seal(KEY, everything=True)

    with Between(wallet, number, sell_at_twice_the_rate) as between:
        assert books.settle(seal=False).fee_fen == 300
    assert between.seen == number + 1
    assert [(line.debits, line.fee_fen) for one in wallet.fees.settlements() for line in one.lines] == [
        (1, 100),
        (1, 200),
    ]


@pytest.mark.parametrize("number", range(6))
def test_what_another_settles_between_two_reads_of_the_count_is_not_settled_again(wallet, books, number):
    books.agree(100_000)
    books.charge(1_000)
    wallet.proving.seal(KEY, everything=True)
    with Between(wallet, number, lambda: books.settle(seal=False)) as between:
        assert books.settle(seal=False).settlements == 0
    assert between.seen == number + 1
    assert (len(wallet.fees.settlements()), books.kept_fen()) == (1, 100)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_refund_that_commits_after_the_settlement_is_in_the_next(wallet, books):
    books.agree(100_000)
    charge_id = books.charge(1_000)
    late = Command("refund", "late", {}, "wang", books.forecourt.at(11), new_uuid7)
    with wallet.engine.begin() as connection:
        refunds.refund(connection, late, 400, "late", charge_id=charge_id)
        assert books.settle().fee_fen == 100
    assert books.settle().fee_fen == -40


def test_a_sale_by_a_clock_that_went_back_is_in_the_next_settlement(wallet, books):
    books.agree(100_000)
    books.charge(1_000, seconds=500)
    assert books.settle(600).fee_fen == 100
    books.charge(2_000, seconds=3)
    assert books.settle(600).fee_fen == 200
    assert wallet.fees.settlements("demo")[0].latest_at == books.forecourt.at(3)


class Killed(Exception):  # noqa: N818
    """The process ends here."""


def test_a_settlement_that_is_cut_anywhere_leaves_nothing_or_all(wallet, books):
    books.agree(100_000, station="demo")
    books.agree(100_000, station="north")
    books.charge(1_000)
    books.charge(2_000, station="north")
    wallet.proving.seal(KEY, everything=True)
    by = books.by(100, key="cut")
    for last in range(50):
        left = iter(range(last))

        def new_id(left=left):
            if next(left, None) is None:
                raise Killed()
            return new_uuid7()

        try:
            done = Fees(wallet.store, new_id).settle(**by)
        except Killed:
            assert wallet.fees.settlements() == []
            assert (books.kept_fen("demo"), books.kept_fen("north")) == (0, 0)
            continue
        break
    assert last == 7
    assert (done.settlements, done.fee_fen) == (2, 300)
    assert (books.kept_fen("demo"), books.kept_fen("north")) == (100, 200)


# What the database and the audit say ------------------------------------------------------------------------


def _refused(wallet, statement, match):
    with (
        pytest.raises(Exception, match=match),
        wallet.engine.connect().execution_options(platepay_writes=True) as connection,
        connection.begin(),
    ):
        connection.execute(text(statement))


@pytest.fixture
def settled(wallet, books):
    """Two settlements of one station, sealed."""
    books.agree(100_000, 5)
    first = books.charge(1_000)
    books.settle()
    books.refund(first, 400)
    books.charge(3_000)
    books.settle()
    assert wallet.proving.prove(KEY, books.forecourt.at(300)).ok
    return books


def test_the_database_refuses_a_gap_an_overlap_and_a_second_settlement_of_the_same(wallet, settled):
    row = (
        "INSERT INTO fee_settlements SELECT 'x', station, {number}, {after}, {to}, debits, refunds,"
        " debited_fen, refunded_fen, {fee}, latest_at, {transfer}, command_key, actor, recorded_at"
        " FROM fee_settlements WHERE number = 2"
    )
    for _ in range(2):
        settled.charge(1)
        wallet.proving.seal(KEY, everything=True)
    last = wallet.proving.head().number
    first, second = (one.to_block for one in reversed(wallet.fees.settlements("demo")))
    plain = {"number": 3, "after": second, "to": last, "fee": 0, "transfer": "NULL"}
    for changed, word in (
        ({"after": last - 1}, "after_block|FOREIGN KEY"),
        ({"number": 2}, "number"),
        ({"number": 1, "after": "NULL"}, "number"),
        ({"after": first}, "after_block"),
        ({"to": second}, "covers_blocks"),
        ({"to": last + 1}, "to_block|FOREIGN KEY"),
        ({"fee": 5}, "fee_is_transferred"),
        ({"transfer": "transfer_id"}, "fee_is_transferred|transfer_id"),
    ):
        _refused(wallet, row.format(**{**plain, **changed}), word)
    for table in ("fee_terms", "fee_settlements", "fee_lines"):
        _refused(wallet, f"UPDATE {table} SET id = id", "never updated")
        _refused(wallet, f"DELETE FROM {table}", "never deleted")


@pytest.mark.parametrize(
    ("statement", "proofs", "names"),
    [
        (
            "UPDATE fee_settlements SET fee_fen = fee_fen + 1 WHERE number = 1",
            {"fee_settlement_is_the_sum_of_its_lines", "fee_is_transferred_as_settled", "chain_is_unbroken"},
            "fee settlement demo/1",
        ),
        (
            "UPDATE fee_lines SET fee_fen = fee_fen - 1, debits = debits + 1",
            {"fee_settlement_is_what_it_covers", "chain_is_unbroken"},
            "fee settlement demo/1 counts 1 sales, 0 refunds and -1 fen more",
        ),
        (
            "DELETE FROM fee_settlements WHERE number = 1",
            {"fee_settlements_follow_each_other", "fee_is_transferred_as_settled", "answer_has_its_rows"},
            "fee settlement demo/2 begins after block",
        ),
        (
            "DELETE FROM fee_settlements WHERE number = 2",
            {"fee_is_transferred_as_settled", "fee_settlement_is_the_sum_of_its_lines"},
            "belongs to no settlement",
        ),
        (
            "UPDATE fee_settlements SET to_block = to_block + 100 WHERE number = 1",
            {"fee_settlements_follow_each_other"},
            "fee settlement demo/2 begins after block",
        ),
        (
            "UPDATE fee_terms SET rate_ppm = rate_ppm + 10000",
            {"fee_settlement_is_what_it_covers"},
            "fee settlement demo/1 counts 0 sales, 0 refunds and -10 fen more",
        ),
        (
            "UPDATE charges SET amount_fen = amount_fen + 100, principal_fen = principal_fen + 100",
            {"fee_settlement_is_what_it_covers"},
            "fee settlement demo/1 counts",
        ),
        (
            "UPDATE transfers SET amount_fen = amount_fen + 1 WHERE kind = 'fee'",
            {"fee_is_transferred_as_settled"},
            "fee settlement demo/",
        ),
        ("DELETE FROM fee_lines", {"fee_settlement_is_the_sum_of_its_lines"}, "its lines make 0"),
        (
            "DELETE FROM commands WHERE scope IN ('fee-terms', 'fee-settlement')",
            {"money_moved_by_hand_was_commanded"},
            "never commanded",
        ),
    ],
)
def test_an_edit_by_hand_is_found_and_named(wallet, settled, statement, proofs, names, by_hand):
    settled.forecourt.spoiled = True
    by_hand(wallet, statement)
    wrong = {check.name: check.first_bad for check in wallet.proving.audit(KEY).checks if not check.ok}
    assert proofs <= set(wrong)
    assert any(names in found for found in wrong.values()), wrong


def test_a_settlement_of_another_account_of_money_is_found_since_the_last_proof(wallet, settled, by_hand):
    settled.charge(500)
    settled.settle()
    wallet.proving.seal(KEY)
    assert wallet.proving.audit(KEY, since_last=True).ok
    settled.forecourt.spoiled = True
    by_hand(wallet, "UPDATE fee_lines SET debited_fen = debited_fen + 1")
    wrong = {one.name for one in wallet.proving.audit(KEY, since_last=True).checks if not one.ok}
    assert {"fee_settlement_is_what_it_covers", "fee_settlement_is_the_sum_of_its_lines"} <= wrong


def test_a_fee_is_not_taken_back_by_a_reversal(wallet, settled):
    transfer_id = wallet.fees.settlements("demo")[0].transfer_id
    assert wallet.commands.reverse(transfer_id, "x", **settled.by(200)).code == "not_reversible"


def test_a_block_without_fees_is_written_in_a_format_that_older_versions_know(wallet, books):
    books.charge(1_000)
    wallet.proving.seal(KEY, everything=True)
    assert wallet.proving.head().format < 4
    books.agree(100_000)
    wallet.proving.seal(KEY, everything=True)
    assert wallet.proving.head().format == 4
