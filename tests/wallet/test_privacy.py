"""What is forgotten is gone from every table, and everything that was counted still adds up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from wallet.errors import AccountInUse, AccountUnknown
from wallet.facts import ChannelPayment, Posterior
from wallet.reading_facts import ReadingFact, Said
from wallet.review_facts import Given
from wallet.tables import metadata

OURS, NEAR, STRANGER = "粤B12345", "粤B12346", "京A77777"
LATER = 20_000
FRAME, CROP = "f" * 64, "c" * 64


@pytest.fixture(autouse=True)
def key(wallet):
    wallet.privacy.plate_key = b"the key of the index"


def see(forecourt, plate, name, pump="4", *, frame=FRAME, crop=CROP, candidates=None, **changes):
    """A sighting with pictures and a reading; sure of itself."""
    said = Said(plate, 900, tuple(((c, 999_000),) for c in plate or ""))
    fact = replace(
        forecourt.sighting(plate, pump, sighting_id=name),
        readings=(ReadingFact(forecourt.at(0), "blue", 1, 1, said),),
        plate_corners=((1, 1), (9, 1), (9, 4), (1, 4)),
        evidence_frame=frame,
        evidence_crop=crop,
        **changes,
    )
    candidates = ((plate, 999_500),) if candidates is None else candidates
    given = Posterior(candidates, 1_000_000 - sum(ppm for _, ppm in candidates))
    return forecourt.wallet.arrive(fact, given, forecourt.at(3)).match


def holding(wallet, words):
    """(table, column) of everything in the database in which one of these words stands."""
    found = set()
    with wallet.engine.connect() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(table.select()):
                for column, value in row._mapping.items():
                    if any(word in str(value) for word in words):
                        found.add((table.name, column))
    return found


def forget(forecourt, seconds=LATER):
    now = forecourt.at(seconds)
    return forecourt.wallet.privacy.forget_strangers(now - timedelta(seconds=10_800), "sweep", now)


def test_a_stranger_is_gone_from_the_whole_database_after_the_retention_time(forecourt):
    forecourt.customer(OURS)
    see(forecourt, STRANGER, "s1", candidates=())
    wallet = forecourt.wallet
    before = wallet.sighting("s1")
    assert ("sightings", "text") in holding(wallet, [STRANGER])
    assert forget(forecourt, 10_000) == 0
    assert forget(forecourt) == 1
    assert holding(wallet, [STRANGER]) == set()
    after = wallet.sighting("s1")
    assert (after.text, after.positions) == (None, ())
    assert (after.station, after.looks, after.first_seen_at) == (
        before.station, before.looks, before.first_seen_at,
    )  # fmt: skip
    kept = wallet.proof.readings("s1")
    assert (kept.readings, kept.corners, kept.reading_count, kept.is_erased) == ((), (), 1, True)
    assert forget(forecourt) == 0


def test_the_hash_stays_so_that_the_same_message_is_still_known_and_another_is_not_taken_for_it(forecourt):
    see(forecourt, STRANGER, "s1", candidates=())
    forget(forecourt)
    assert see(forecourt, STRANGER, "s1", candidates=()).outcome == "none"
    with pytest.raises(Exception, match="s1"):
        see(forecourt, "京A77778", "s1", candidates=())


def test_what_was_erased_when_and_why_is_written_down_without_the_plate(forecourt):
    see(forecourt, STRANGER, "s1", candidates=())
    forget(forecourt)
    [erasure] = forecourt.wallet.privacy.erasures("s1")
    assert (erasure.kind, erasure.reason, erasure.actor) == ("sighting", "retention_over", "sweep")
    assert erasure.recorded_at == forecourt.at(LATER)
    assert "text" in erasure.erased


def test_a_customer_and_a_car_that_waits_for_a_person_are_not_forgotten(forecourt):
    forecourt.customer(OURS)
    see(forecourt, OURS, "ours", "1")
    see(forecourt, NEAR, "near", "2", candidates=((OURS, 300_000),))
    assert forget(forecourt) == 0
    wallet = forecourt.wallet
    assert wallet.sighting("near").text == NEAR
    [item] = wallet.reviews()
    wallet.reviewing.answer(item.id, Given("reject"), key="k", actor="wang", now=forecourt.at(LATER))
    assert forget(forecourt, LATER + 1) == 0
    kept = wallet.reviewing.corrections()
    assert forget(forecourt, 2 * LATER) == (0 if kept else 1)
    assert wallet.sighting("ours").text == OURS


def test_a_sighting_that_was_corrected_stays_for_the_memory_of_corrections(forecourt):
    forecourt.customer(OURS)
    see(forecourt, NEAR, "near", "2", candidates=((OURS, 300_000),))
    [item] = forecourt.wallet.reviews()
    given = Given("correct", NEAR)
    forecourt.wallet.reviewing.answer(item.id, given, key="k", actor="wang", now=forecourt.at(100))
    assert forget(forecourt, 5 * LATER) == 0
    assert forecourt.wallet.sighting("near").text == NEAR


def test_a_picture_goes_with_the_last_sighting_that_needs_it(forecourt):
    """Two cars in one picture: the stranger's crop goes, the frame stays with the customer's sighting."""
    forecourt.customer(OURS)
    see(forecourt, OURS, "ours", "1", frame=FRAME, crop="1" * 64)
    see(forecourt, STRANGER, "theirs", "2", frame=FRAME, crop="2" * 64, candidates=())
    forget(forecourt)
    wallet = forecourt.wallet
    assert wallet.privacy.pictures_to_erase() == [("theirs", ("2" * 64,))]
    assert wallet.privacy.needs_picture(FRAME)
    wallet.privacy.pictures_are_gone("theirs")
    assert wallet.privacy.pictures_to_erase() == []
    assert (wallet.sighting("theirs").evidence_frame, wallet.sighting("ours").evidence_frame) == (None, FRAME)
    assert not wallet.privacy.needs_picture("2" * 64)


WRONG_ERASURES = [
    ("UPDATE sightings SET text = NULL, positions = '[]'", "never updated"),
    ("UPDATE sightings SET text = NULL, positions = '[]', erasure_id = 'e9'", "written down first"),
    ("UPDATE sightings SET text = 'x', positions = '[]', erasure_id = 'e1'", "never updated"),
    ("UPDATE sightings SET text = NULL, erasure_id = 'e1'", "never updated"),
    (
        "UPDATE sightings SET text = NULL, positions = '[]', body_hash = 'x', erasure_id = 'e1'",
        "never updated",
    ),
    ("UPDATE sightings SET text = NULL, positions = '[]', pump = NULL, erasure_id = 'e1'", "never updated"),
    ("UPDATE sightings SET text = NULL, positions = '[]', wrong_ppm = 0, erasure_id = 'e1'", "never updated"),
    (
        "UPDATE sightings SET text = NULL, positions = '[]', evidence_crop = 'x', erasure_id = 'e1'",
        "never updated",
    ),
    ("UPDATE matches SET reasons = '[]'", "never updated"),
    ("UPDATE matches SET reasons = '[]', erasure_id = 'e1'", "never updated"),
    ("UPDATE sighting_readings SET readings = '[]', erasure_id = 'e1'", "never updated"),
    ("UPDATE decision_inputs SET inputs = '{}', shadow_id = 'x', erasure_id = 'e1'", "never updated"),
    ("UPDATE vehicles SET plate = ''", "binding ends once"),
    ("UPDATE visits SET plate = ''", "keeps its vehicle"),
    ("UPDATE visits SET plate = 'x', erasure_id = 'e1'", "keeps its vehicle"),
    ("UPDATE visits SET plate = '', erasure_id = 'e9'", "written down first"),
    ("UPDATE erasures SET reason = 'x'", "never updated"),
    ("DELETE FROM erasures", "never deleted"),
    ("DELETE FROM sightings", "never deleted"),
]


@pytest.mark.parametrize(("statement", "word"), WRONG_ERASURES)
def test_nothing_but_a_whole_erasure_that_is_written_down_passes_the_triggers(forecourt, statement, word):
    forecourt.customer(OURS)
    see(forecourt, OURS, "s1", "1")
    moment = "2026-11-21 08:00:00.000000"
    written = (
        "INSERT INTO erasures (id, kind, subject, reason, actor, erased, recorded_at)"
        f" VALUES ('e1', 'sighting', 's1', 'test', 'test', '[]', '{moment}')"
    )
    engine = forecourt.wallet.engine
    with engine.connect().execution_options(platepay_writes=True) as connection, connection.begin():
        connection.exec_driver_sql(written)
    with (
        pytest.raises(DBAPIError, match=word),
        engine.connect().execution_options(platepay_writes=True) as connection,
        connection.begin(),
    ):
        connection.execute(text(statement))


def test_what_was_erased_once_is_not_filled_again(forecourt):
    see(forecourt, STRANGER, "s1", candidates=())
    forget(forecourt)
    for statement in (
        "UPDATE sightings SET text = 'x'",
        "UPDATE sightings SET evidence_crop = 'x'",
        "UPDATE sighting_readings SET readings = '[1]'",
    ):
        with (
            pytest.raises(DBAPIError, match="never updated"),
            forecourt.wallet.engine.connect().execution_options(platepay_writes=True) as connection,
            connection.begin(),
        ):
            connection.execute(text(statement))


# Plates by their keyed hash ---------------------------------------------------------------------------------


def test_a_plate_is_found_by_its_keyed_hash_and_the_hash_tells_nothing_without_the_key(forecourt):
    wallet = forecourt.wallet
    see(forecourt, STRANGER, "s1", candidates=())
    assert [row.sighting.sighting_id for row in wallet.matches(plate=STRANGER)] == ["s1"]
    with wallet.engine.connect() as connection:
        [hashed] = connection.execute(text("SELECT plate_hash FROM plate_index")).scalars()
    assert hashed == wallet.privacy.plate_hash(STRANGER)
    wallet.privacy.plate_key = b"another key"
    assert wallet.privacy.plate_hash(STRANGER) != hashed
    assert wallet.matches(plate=STRANGER) == []
    assert wallet.privacy.reindex() == 1
    assert [row.sighting.sighting_id for row in wallet.matches(plate=STRANGER)] == ["s1"]
    forget(forecourt)
    assert wallet.matches(plate=STRANGER) == []


def test_sightings_of_before_the_index_are_found_once_it_is_made(forecourt):
    wallet = forecourt.wallet
    wallet.privacy.plate_key = None
    see(forecourt, STRANGER, "s1", candidates=())
    see(forecourt, None, "s2", "5", candidates=())
    wallet.privacy.plate_key = b"k"
    assert not wallet.privacy.is_indexed()
    assert wallet.privacy.reindex() == 1
    assert wallet.privacy.is_indexed()
    assert len(wallet.matches(plate=STRANGER)) == 1


# Export and deletion ----------------------------------------------------------------------------------------


def stayed(forecourt, plate=OURS, money_fen=20_000):
    """A customer who fuelled for all the money there was; gives the account."""
    account_id = forecourt.customer(plate, money_fen)
    see(forecourt, plate, "paid", "1")
    assert forecourt.sell(money_fen, pump="1").state == "captured"
    return account_id


def test_an_export_holds_every_row_that_speaks_of_the_customer_and_nobody_else_s(forecourt):
    account_id = stayed(forecourt)
    forecourt.customer(STRANGER)
    see(forecourt, STRANGER, "other", "2")
    told = forecourt.wallet.privacy.export(account_id)
    assert {
        "accounts",
        "vehicles",
        "visits",
        "sightings",
        "sighting_readings",
        "matches",
        "transfers",
    } <= set(told)
    assert {row["amount_fen"] for row in told["captures"]} == {20_000}
    assert STRANGER not in str(told)
    assert [row["plate"] for row in told["vehicles"]] == [OURS]
    with pytest.raises(AccountUnknown):
        forecourt.wallet.privacy.export("nobody")


def test_a_deleted_customer_is_gone_from_every_table_and_the_ledger_still_adds_up(forecourt):
    account_id = stayed(forecourt)
    wallet = forecourt.wallet
    forecourt.arrive(OURS, "3", 5_000, sighting_id="poor")
    [item] = wallet.reviews()
    wallet.reviewing.answer(item.id, Given("reject"), key="k", actor="wang", now=forecourt.at(6_000))
    before = wallet.statement(account_id)
    erasure = wallet.privacy.delete(account_id, "wang", forecourt.at(LATER))
    assert holding(wallet, [OURS, "Customer 1"]) == set()
    assert wallet.statement(account_id) == before
    forecourt.must_add_up()
    assert wallet.proving.prove(b"key", forecourt.at(LATER)).ok
    assert wallet.privacy.delete(account_id, "li", forecourt.at(LATER + 1)) == erasure
    assert wallet.account(account_id).name == ""
    assert {one for one, _ in wallet.privacy.pictures_to_erase()} >= {"paid"}


def test_a_deleted_customer_s_plate_is_a_stranger_s_and_can_be_bound_by_somebody_else(forecourt):
    account_id = stayed(forecourt)
    wallet = forecourt.wallet
    wallet.privacy.delete(account_id, "wang", forecourt.at(LATER))
    assert see(forecourt, OURS, "later", "2", candidates=()).outcome == "none"
    with pytest.raises(AccountUnknown):
        wallet.bind_vehicle(account_id, OURS, "blue", "v9", forecourt.at(LATER))
    other = forecourt.customer(OURS)
    assert wallet.vehicles(other)[0].plate == OURS


@pytest.mark.parametrize("why", ["money_left", "visit_open", "review_open"])
def test_an_account_in_use_is_not_deleted_and_nothing_of_it_is_gone(forecourt, why):
    account_id = forecourt.customer(OURS, 100 if why == "money_left" else 0)
    wallet = forecourt.wallet
    if why == "visit_open":
        forecourt.recharge(account_id, 40_000)
        forecourt.arrive(OURS)
    if why == "review_open":
        forecourt.arrive(OURS)
    with pytest.raises(AccountInUse) as refused:
        wallet.privacy.delete(account_id, "wang", forecourt.at(LATER))
    assert refused.value.why == ("money_left" if why == "visit_open" else why)
    assert [vehicle.unbound_at for vehicle in wallet.vehicles(account_id)] == [None]
    assert wallet.privacy.erasures() == []


def test_money_that_comes_for_a_deleted_account_stands_in_suspense(forecourt):
    account_id = forecourt.customer(OURS, 0)
    wallet = forecourt.wallet
    order = wallet.create_recharge_order(account_id, 5_000, "sandbox", "o", forecourt.at(0))
    wallet.privacy.delete(account_id, "wang", forecourt.at(10))
    paid = wallet.channel_paid(
        ChannelPayment("sandbox", "t", order.id, 5_000, forecourt.at(20)), forecourt.at(20)
    )
    assert paid.reason == "account_deleted"
    assert wallet.balance(account_id).principal_fen == 0
    with pytest.raises(AccountUnknown):
        wallet.create_recharge_order(account_id, 5_000, "sandbox", "o2", forecourt.at(30))


def test_no_event_carries_the_plate_of_a_car_that_is_nobody_s(forecourt):
    forecourt.customer(OURS)
    see(forecourt, STRANGER, "s1", candidates=())
    see(forecourt, NEAR, "s2", "2", candidates=((OURS, 300_000),))
    with forecourt.wallet.engine.connect() as connection:
        bodies = connection.execute(text("SELECT body FROM outbox")).scalars().all()
    assert [body for body in bodies if OURS in str(body)]
    assert not [body for body in bodies if STRANGER in str(body) or NEAR in str(body)]
