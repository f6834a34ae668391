"""Operators, sessions, devices, nonces, cameras, and who looked at what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wallet.access import CameraStatus
from wallet.errors import DeviceUnknown, InvalidFact, NameTaken, OperatorUnknown


def test_an_operator_has_one_name_and_the_hash_it_was_given(wallet, forecourt):
    access = wallet.access
    added = access.add_operator("wang", "admin", "$argon2id$...", forecourt.at(0))
    assert access.operator("wang") == added
    assert access.operators() == [added]
    assert access.operator("nobody") is None
    with pytest.raises(NameTaken):
        access.add_operator("wang", "support", "x", forecourt.at(1))


def test_wrong_passwords_lock_and_the_lock_runs_out(wallet, forecourt):
    access = wallet.access
    access.add_operator("wang", "admin", "hash", forecourt.at(0))
    for _ in range(2):
        assert access.login_failed("wang", 3, forecourt.at(900), forecourt.at(1)).locked_until is None
    assert access.login_failed("wang", 3, forecourt.at(900), forecourt.at(2)).locked_until == forecourt.at(
        900
    )
    # While the lock holds, more failures neither lengthen nor count it.
    assert access.login_failed("wang", 3, forecourt.at(1_800), forecourt.at(3)).locked_until == forecourt.at(
        900
    )
    after = access.login_failed("wang", 3, forecourt.at(1_800), forecourt.at(901))
    assert (after.failures, after.locked_until) == (1, None)
    access.login_succeeded("wang")
    assert access.operator("wang").failures == 0
    assert access.login_failed("nobody", 3, forecourt.at(9), forecourt.at(1)) is None


def test_a_session_holds_until_it_ends_or_expires(wallet, forecourt):
    access = wallet.access
    operator = access.add_operator("wang", "admin", "hash", forecourt.at(0))
    access.start_session(operator.id, "t1", forecourt.at(0), forecourt.at(100))
    access.start_session(operator.id, "t2", forecourt.at(0), forecourt.at(100))
    assert access.session("t1", forecourt.at(99)).operator_name == "wang"
    assert access.session("t1", forecourt.at(100)) is None
    access.end_session("t2", forecourt.at(10))
    assert access.session("t2", forecourt.at(11)) is None
    assert access.session("nobody", forecourt.at(1)) is None


@pytest.mark.parametrize("what", ["password", "disabled"])
def test_a_new_password_or_a_disabled_operator_ends_every_session(wallet, forecourt, what):
    access = wallet.access
    operator = access.add_operator("wang", "admin", "hash", forecourt.at(0))
    access.start_session(operator.id, "t1", forecourt.at(0), forecourt.at(100))
    if what == "password":
        access.set_password("wang", "other")
        assert access.operator("wang").password_hash == "other"
    else:
        access.disable_operator("wang", forecourt.at(5))
        assert access.operator("wang").disabled_at == forecourt.at(5)
    assert access.session("t1", forecourt.at(6)) is None
    with pytest.raises(OperatorUnknown):
        access.set_password("nobody", "x")
    with pytest.raises(OperatorUnknown):
        access.disable_operator("nobody", forecourt.at(5))


def test_a_device_has_a_role_a_station_and_a_key_that_can_be_renewed(wallet, forecourt):
    access = wallet.access
    device = access.add_device("cam-1", "camera", "demo", forecourt.at(0))
    assert (device.key_version, access.device("cam-1"), access.devices()) == (1, device, [device])
    assert access.renew_device_key("cam-1").key_version == 2
    access.disable_device("cam-1", forecourt.at(9))
    assert access.device("cam-1").disabled_at == forecourt.at(9)
    with pytest.raises(NameTaken):
        access.add_device("cam-1", "pump", "demo", forecourt.at(1))
    with pytest.raises(InvalidFact):
        access.add_device("x", "kettle", "demo", forecourt.at(1))
    for unknown in (
        lambda: access.renew_device_key("y"),
        lambda: access.disable_device("y", forecourt.at(1)),
    ):
        with pytest.raises(DeviceUnknown):
            unknown()


def test_a_nonce_works_once_for_each_device_until_it_expires(wallet, forecourt):
    access = wallet.access
    assert access.use_nonce("cam-1", "n", forecourt.at(0), forecourt.at(900))
    assert not access.use_nonce("cam-1", "n", forecourt.at(1), forecourt.at(901))
    assert access.use_nonce("cam-2", "n", forecourt.at(1), forecourt.at(901))
    assert access.use_nonce("cam-1", "n", forecourt.at(900), forecourt.at(1_800))
    assert access.forget_expired(forecourt.at(901)) == 1
    assert not access.use_nonce("cam-1", "n", forecourt.at(902), forecourt.at(1_802))


def test_the_newest_report_of_a_camera_stands(wallet, forecourt):
    access = wallet.access
    status = CameraStatus(
        "demo", "lane-1", "ok", 100, 1, 0, 0, forecourt.at(9), 1280, 720, None, forecourt.at(10)
    )
    access.report_camera(status)
    worse = replace(status, state="frozen", detail="no change for 5 s", reported_at=forecourt.at(20))
    access.report_camera(worse)
    access.report_camera(replace(status, state="black", reported_at=forecourt.at(15)))
    assert access.cameras() == access.cameras("demo") == [worse]
    assert access.cameras("elsewhere") == []


def test_every_look_at_a_picture_is_kept(wallet, forecourt):
    access = wallet.access
    operator = access.add_operator("wang", "admin", "hash", forecourt.at(0))
    first = access.record_look("a" * 64, operator.id, "review", forecourt.at(1))
    second = access.record_look("a" * 64, operator.id, "dispute 7", forecourt.at(2))
    access.record_look("b" * 64, operator.id, "review", forecourt.at(3))
    assert access.looks("a" * 64) == [first, second]
