"""Accounts, vehicles and the keys of requests."""

from __future__ import annotations

import pytest

from wallet.errors import AccountUnknown, InvalidFact, KeyReused, PlateAlreadyBound, VehicleUnknown

# Refused before anything is stored: one kind of database is enough.
ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def test_the_same_key_and_body_give_the_first_account(wallet, forecourt):
    first = wallet.open_account("Li", "138", "key", forecourt.at(0))
    assert wallet.open_account("Li", "138", "key", forecourt.at(99)) == first
    assert wallet.accounts() == [first]
    assert wallet.account(first.id) == first


def test_the_same_key_with_another_body_is_refused(wallet, forecourt):
    first = wallet.open_account("Li", "138", "key", forecourt.at(0))
    with pytest.raises(KeyReused) as refused:
        wallet.open_account("Wang", "138", "key", forecourt.at(0))
    assert refused.value.facts() == {"scope": "account", "key": "key"}
    assert wallet.accounts() == [first]


def test_a_key_of_accounts_is_not_a_key_of_vehicles(wallet, forecourt):
    account = wallet.open_account("Li", None, "key", forecourt.at(0))
    assert wallet.bind_vehicle(account.id, "粤B12345", "blue", "key", forecourt.at(0)).plate == "粤B12345"


def test_accounts_come_in_pages(wallet, forecourt):
    opened = [wallet.open_account(f"C{n}", None, f"k{n}", forecourt.at(n)) for n in range(5)]
    assert wallet.accounts(limit=2) == opened[:2]
    assert wallet.accounts(limit=9, after=opened[1].id) == opened[2:]


def test_a_plate_is_bound_once_at_a_time(wallet, forecourt):
    forecourt.customer("粤B12345", 0)
    other = wallet.open_account("Wang", None, "other", forecourt.at(0))
    with pytest.raises(PlateAlreadyBound):
        wallet.bind_vehicle(other.id, "粤B12345", "blue", "bind-again", forecourt.at(0))
    # The refused request left nothing behind: once the plate is free, the same key works.
    wallet.unbind_vehicle("粤B12345", forecourt.at(10))
    bound = wallet.bind_vehicle(other.id, "粤B12345", "blue", "bind-again", forecourt.at(20))
    assert (bound.account_id, bound.unbound_at) == (other.id, None)


def test_unbinding_keeps_the_history_and_works_once(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 0)
    ended = wallet.unbind_vehicle("粤B12345", forecourt.at(10))
    assert ended.unbound_at == forecourt.at(10)
    assert wallet.vehicles(account_id) == [ended]
    with pytest.raises(VehicleUnknown):
        wallet.unbind_vehicle("粤B12345", forecourt.at(11))


def test_a_repeated_binding_gives_the_first_answer(wallet, forecourt):
    account = wallet.open_account("Li", None, "a", forecourt.at(0))
    first = wallet.bind_vehicle(account.id, "粤BD12345", "green", "b", forecourt.at(0))
    assert wallet.bind_vehicle(account.id, "粤BD12345", "green", "b", forecourt.at(5)) == first
    with pytest.raises(KeyReused):
        wallet.bind_vehicle(account.id, "粤BD12345", "blue", "b", forecourt.at(5))


@ON_SQLITE
@pytest.mark.parametrize("plate", ["", "粤B1234", "粤B123456789", "粤B1234_", "粤B 2345"])
def test_what_is_no_plate_is_refused(wallet, forecourt, plate):
    account = wallet.open_account("Li", None, "a", forecourt.at(0))
    with pytest.raises(InvalidFact):
        wallet.bind_vehicle(account.id, plate, "blue", "b", forecourt.at(0))


@ON_SQLITE
@pytest.mark.parametrize(
    ("name", "phone", "key"), [("", None, "k"), ("x" * 201, None, "k"), ("x", "", "k"), ("x", None, "")]
)
def test_empty_and_endless_text_is_refused(wallet, forecourt, name, phone, key):
    with pytest.raises(InvalidFact):
        wallet.open_account(name, phone, key, forecourt.at(0))


def test_an_unknown_account_is_named(wallet, forecourt):
    calls = (
        lambda: wallet.account("nobody"),
        lambda: wallet.balance("nobody"),
        lambda: wallet.statement("nobody"),
        lambda: wallet.vehicles("nobody"),
        lambda: wallet.bind_vehicle("nobody", "粤B12345", "blue", "k", forecourt.at(0)),
        lambda: wallet.create_recharge_order("nobody", 100, "sandbox", "k", forecourt.at(0)),
    )
    for call in calls:
        with pytest.raises(AccountUnknown) as unknown:
            call()
        assert unknown.value.facts() == {"account_id": "nobody"}
