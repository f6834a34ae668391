"""The spool on disk: order, groups, what survives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cameras.messages import departure_message
from cameras.outbox import LONGEST_WAIT_S, Outbox
from tests.cameras.fakes import DEADLINE_S, START

ROOT = Path(__file__).parents[2]


def message(number):
    return {
        "sighting_id": f"sighting-{number}",
        "text": "粤B12345",
        "evidence": {"frame": f"{number:064x}", "crop": f"{number + 1000:064x}"},
    }


@pytest.fixture
def outbox(tmp_path):
    box = Outbox(tmp_path / "deep" / "outbox.db")
    yield box
    box.close()


def drain(outbox, now_s=0.0):
    found = []
    while (due := outbox.next_due(now_s)) is not None:
        found.append((due.kind, due.message_id))
        outbox.sent(due)
    return found


def of(number):
    name = f"sighting-{number}"
    return [("evidence", f"{name}/frame"), ("evidence", f"{name}/crop"), ("sighting", name)]


def test_evidence_goes_before_the_sighting_that_names_it_and_order_is_kept(outbox):
    for number in range(3):
        outbox.put_sighting(message(number), START)
    outbox.put_departure(departure_message("sighting-0", START), START)
    assert drain(outbox) == [*of(0), *of(1), *of(2), ("departure", "sighting-0")]
    assert outbox.counts().waiting == 0
    assert outbox.evidence_needed() == set()


def test_it_is_written_to_disk_at_once_and_fully(outbox):
    assert outbox._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert outbox._database.execute("PRAGMA synchronous").fetchone() == (2,)


def test_what_waits_is_found_again_after_a_restart_and_tried_at_once(tmp_path):
    first = Outbox(tmp_path / "a.db")
    first.put_sighting(message(1), START)
    first.put_sighting(message(2), START)
    due = first.next_due(0.0)
    first.sent(due)
    due = first.next_due(0.0)
    first.try_again(due, 60.0, "no answer")
    first.close()
    second = Outbox(tmp_path / "a.db")
    assert drain(second) == [*of(1)[1:], *of(2)]
    second.close()


def test_the_same_sighting_twice_is_spooled_once(outbox):
    outbox.put_sighting(message(1), START)
    outbox.put_sighting(message(1), START)
    assert drain(outbox) == of(1)


def test_a_group_that_waits_holds_up_its_own_messages_only(outbox):
    outbox.put_sighting(message(1), START)
    outbox.put_departure(departure_message("sighting-1", START), START)
    outbox.put_sighting(message(2), START)
    due = outbox.next_due(100.0)
    outbox.try_again(due, 130.0, "500")
    assert drain(outbox, 110.0) == of(2)
    assert outbox.next_due_at() == 0.0
    assert drain(outbox, 130.0) == [*of(1), ("departure", "sighting-1")]


def test_a_clock_set_back_holds_nothing_up(outbox):
    outbox.put_sighting(message(1), START)
    outbox.try_again(outbox.next_due(1_000_000.0), 1_000_030.0, "500")
    assert outbox.next_due(1_000_000.0) is None
    assert outbox.next_due(1_000_000.0 - LONGEST_WAIT_S).attempts == 1


def test_what_is_set_aside_is_kept_counted_and_no_longer_sent(outbox):
    outbox.put_sighting(message(1), START)
    for _ in range(2):
        outbox.sent(outbox.next_due(0.0))
    outbox.set_aside(outbox.next_due(0.0), "422 bad")
    assert outbox.next_due(0.0) is None
    assert (outbox.counts().waiting, outbox.counts().set_aside) == (0, 1)
    (kept,) = outbox.set_aside_messages()
    assert (kept.message_id, kept.error) == ("sighting-1", "422 bad")
    assert len(outbox.evidence_needed()) == 2
    assert outbox.restore_set_aside() == 1
    assert drain(outbox) == [("sighting", "sighting-1")]


def test_evidence_the_service_lost_is_sent_again_before_the_sighting(outbox):
    outbox.put_sighting(message(1), START)
    for _ in range(2):
        outbox.sent(outbox.next_due(0.0))
    assert outbox.send_evidence_again(outbox.next_due(0.0), 0.0, "evidence_missing")
    assert drain(outbox) == of(1)


def test_evidence_that_is_gone_cannot_be_sent_again(outbox):
    outbox.put_sighting(message(1), START)
    outbox.set_aside(outbox.next_due(0.0), "gone")
    outbox.sent(outbox.next_due(0.0))
    assert not outbox.send_evidence_again(outbox.next_due(0.0), 0.0, "evidence_missing")


def test_a_message_with_a_float_is_refused_and_nothing_is_spooled(outbox):
    with pytest.raises(ValueError, match="holds the float"):
        outbox.put_sighting({**message(1), "wrong": 0.5}, START)
    assert outbox.counts().waiting == 0


def test_many_threads_may_put_and_take(outbox):
    def put(start):
        for number in range(start, start + 20):
            outbox.put_sighting(message(number), START)

    threads = [threading.Thread(target=put, args=(start,)) for start in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    found = drain(outbox)
    assert len(found) == len(set(found)) == 180


SPOOLING = """
import itertools, sys
from datetime import UTC, datetime
from pathlib import Path
from cameras.outbox import Outbox

outbox = Outbox(Path(sys.argv[1]))
for number in itertools.count():
    sighting_id = f"sighting-{number}"
    body = {"sighting_id": sighting_id, "evidence": {"frame": f"{number:064x}", "crop": f"{number:064x}"}}
    outbox.put_sighting(body, datetime.now(UTC))
    sys.stdout.write(sighting_id + "\\n")
    sys.stdout.flush()
"""


def test_kill_9_while_spooling_loses_nothing_and_renames_nothing(tmp_path):
    path = tmp_path / "a.db"
    worker = subprocess.Popen(
        [sys.executable, "-c", SPOOLING, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    told = [worker.stdout.readline().strip() for _ in range(40)]
    os.kill(worker.pid, signal.SIGKILL)
    told += worker.stdout.read().split()
    worker.wait(DEADLINE_S)
    outbox = Outbox(path)
    found = drain(outbox)
    sightings = [name for kind, name in found if kind == "sighting"]
    assert sightings[: len(told)] == told
    assert len(sightings) - len(told) in (0, 1)
    assert found == [entry for number in range(len(sightings)) for entry in of(number)]
    outbox.close()
