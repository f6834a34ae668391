"""`platepay spool`: what a camera could not hand over is shown, and sent again when asked."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from cameras.outbox import Outbox
from cameras.sinks import spool_folder
from tests.commands.running import platepay

START = datetime(2026, 11, 1, 8, tzinfo=UTC)


@pytest.fixture
def spool(tmp_path):
    """The spool of lane-1: one sighting that the service refused, one that waits."""
    box = Outbox(spool_folder(tmp_path / "data") / "lane-1.db")
    for number in (1, 2):
        evidence = {"frame": f"{number:064x}", "crop": f"{number + 10:064x}"}
        box.put_sighting(
            {"sighting_id": f"sighting-{number}", "text": "粤B12345", "evidence": evidence}, START
        )
    for _ in range(2):
        box.sent(box.next_due(0.0))
    box.set_aside(box.next_due(0.0), "422 text: is no plate")
    yield box
    box.close()


def run(tmp_path, *arguments):
    return platepay("spool", *arguments, cwd=tmp_path, PLATEPAY_DATA_DIR=str(tmp_path / "data"))


@pytest.mark.usefixtures("spool")
def test_what_was_refused_is_listed_with_its_reason_and_what_waits_is_counted(tmp_path):
    listed = run(tmp_path, "list", "lane-1")
    assert listed.returncode == 0, listed.stderr
    first, *refused = listed.stdout.splitlines()
    assert first == "lane-1: 3 wait, the oldest since 2026-11-01T08:00:00+00:00; 1 refused for good"
    assert refused == ["2026-11-01T08:00:00+00:00  sighting sighting-1: 422 text: is no plate"]
    told = json.loads(run(tmp_path, "list", "lane-1", "--json").stdout)
    assert (told["waiting"], told["refused"]) == (3, 1)
    assert told["messages"][0] | {"attempts": None} == {
        "kind": "sighting",
        "id": "sighting-1",
        "created_at": "2026-11-01T08:00:00+00:00",
        "attempts": None,
        "error": "422 text: is no plate",
    }


def test_what_was_refused_waits_again_where_its_worker_finds_it(tmp_path, spool):
    asked = run(tmp_path, "requeue", "lane-1")
    assert (asked.returncode, asked.stdout) == (0, "1 messages of lane-1 wait again\n")
    found = spool.next_due(0.0)
    assert (found.kind, found.message_id) == ("sighting", "sighting-1")
    assert spool.counts().set_aside == 0


@pytest.mark.usefixtures("spool")
def test_a_camera_without_a_spool_is_told_which_there_are_and_nothing_is_made(tmp_path):
    for camera in ("lane-2", "../lane-1"):
        refused = run(tmp_path, "list", camera)
        assert refused.returncode == 2
        assert f"no camera '{camera}' has spooled anything" in refused.stderr
        assert "(there: lane-1)" in refused.stderr
    assert [path.name for path in (tmp_path / "data" / "outbox").glob("*.db")] == ["lane-1.db"]
