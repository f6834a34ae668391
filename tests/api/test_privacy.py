"""Privacy over HTTP and by command: the janitor forgets strangers and their pictures; export and deletion."""

from __future__ import annotations

import json

import pytest

from api.settings import BadSettings, read_settings
from api.wiring import retention
from wallet.rules import Rules

STRANGER = "京A77777"


def picture_files(service):
    return {path.stem for path in (service.settings.data_dir / "evidence").glob("??/*.jpg")}


def test_the_janitor_forgets_a_stranger_and_deletes_the_pictures(service):
    service.account()
    theirs = {"frame": service.picture("their frame"), "crop": service.picture("their crop")}
    service.arrive(STRANGER, evidence=theirs, pump="7")
    ours = {"frame": service.picture("our frame"), "crop": service.picture("our crop")}
    seen = service.arrive(evidence=ours)
    assert picture_files(service) >= {*theirs.values(), *ours.values()}
    assert len(service.operator.get("/v1/matches", plate=STRANGER).json()["matches"]) == 1
    service.clock.forward(seconds=10_900)
    service.parts.janitor.round()
    assert service.parts.janitor.failed == 0
    assert picture_files(service).isdisjoint(theirs.values())
    assert picture_files(service) >= set(ours.values())
    assert service.operator.get("/v1/matches", plate=STRANGER).json()["matches"] == []
    assert STRANGER not in service.operator.get("/v1/matches").text
    assert STRANGER not in service.operator.get("/v1/sightings").text
    [erasure] = service.operator.get("/v1/erasures").json()["erasures"]
    told = (erasure["kind"], erasure["reason"], erasure["actor"])
    assert told == ("sighting", "retention_over", "retention")
    assert seen["match"]["outcome"] == "auto"
    assert service.parts.wallet.audit().ok


def test_a_picture_that_no_sighting_ever_named_is_swept_as_well(service):
    orphan, needed = service.picture("orphan"), service.picture("needed")
    service.account()
    service.arrive(evidence={"frame": needed, "crop": needed})
    service.clock.forward(seconds=10_900)
    # The other two are those that every message of these tests uploads, whatever it names.
    assert service.parts.forgetting.sweep_orphans(service.clock()) == 3
    assert picture_files(service) == {needed}
    assert orphan != needed


def test_an_export_tells_all_and_is_logged_with_its_purpose(service, refused):
    account_id = service.account(name="王小明", fen=0)
    answer = service.http.get(
        f"/v1/accounts/{account_id}/export",
        headers={**service.operator.headers, "Platepay-Purpose": "letter of 3 May"},
    )
    assert answer.json()["tables"]["accounts"][0]["name"] == "王小明"
    [read] = service.operator.get("/v1/evidence-reads", subject=account_id).json()["reads"]
    assert (read["kind"], read["purpose"], read["actor"]) == ("export", "letter of 3 May", "wang")
    refused(service.operator.get("/v1/accounts/nobody/export"), 404, "account_unknown")
    refused(service.http.get(f"/v1/accounts/{account_id}/export"), 401, "not_signed_in")


def test_an_account_is_deleted_once_its_money_is_out_and_its_pictures_go(service, refused):
    account_id = service.account(fen=0)
    pictures = {"frame": service.picture("a"), "crop": service.picture("b")}
    service.arrive(evidence=pictures)
    [item] = service.operator.get("/v1/reviews", state="open").json()["reviews"]
    told = refused(service.operator.delete(f"/v1/accounts/{account_id}"), 409, "account_in_use")
    assert told["why"] == "review_open"
    service.parts.wallet.reviewing.answer(
        item["review_id"], _reject(), key="k", actor="li", now=service.clock()
    )
    done = service.operator.delete(f"/v1/accounts/{account_id}")
    assert (done.status_code, done.json()["kind"], done.json()["actor"]) == (200, "account", "wang")
    assert picture_files(service).isdisjoint(pictures.values())
    assert service.operator.delete(f"/v1/accounts/{account_id}").json() == done.json()
    assert "粤B12345" not in service.operator.get("/v1/matches").text
    assert service.parts.wallet.audit().ok


def _reject():
    from wallet.review_facts import Given

    return Given("reject")


def test_an_account_with_money_is_not_deleted(service, refused):
    account_id = service.account(fen=500)
    told = refused(service.operator.delete(f"/v1/accounts/{account_id}"), 409, "account_in_use")
    assert (told["why"], told["money_fen"]) == ("money_left", 500)


def test_strangers_are_kept_at_least_as_long_as_a_sale_may_ask_for_them():
    assert retention(read_settings({}), Rules()).total_seconds() == 10_800
    settings = read_settings({"PLATEPAY_RETAIN_STRANGERS_S": "600"})
    with pytest.raises(BadSettings, match="7500 or more"):
        retention(settings, Rules())


def test_the_commands_do_the_same(service, monkeypatch, capsys):
    from api.commands.privacy import delete, export, reindex, sweep

    account_id = service.account(fen=0)
    monkeypatch.setenv("PLATEPAY_DATA_DIR", str(service.settings.data_dir))
    assert export(account_id, None, "test") == 0
    assert json.loads(capsys.readouterr().out)["tables"]["vehicles"][0]["plate"] == "粤B12345"
    assert reindex() == 0
    assert sweep(as_json=True) == 0
    assert delete(account_id, as_json=True) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()[1:]]
    assert told[0] == {"sightings": 0, "pictures": 0, "orphans": 0}
    assert told[1]["account_id"] == account_id
