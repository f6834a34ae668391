"""Each check of the money core is taken out once; the tests named beside it must fail then.

    python -m tests.mutations.planted [part of a name]

A copy of the code is changed, never the code itself. Exit 1 where a mutation survives, or its place is gone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutations.planted_case import Planted, wallet_tests
from tests.mutations.planted_limits import LIMITS

ROOT = Path(__file__).parents[2]
PACKAGES = ("wallet", "api", "cameras", "vision", "tests", "pyproject.toml")

PLANTED = (
    Planted(
        "a reading that is likelier wrong than right counts beside another camera's",
        "wallet/decide.py",
        "if alone.is_plate and 2 * sighting.wrong_ppm > MILLION:",
        "if False:",
        wallet_tests("second_looks"),
    ),
    Planted(
        "a car that stands at another pump is taken to stand here",
        "wallet/second_looks.py",
        'if stay.state != "open" or stay.left_at is not None or stay.pump not in (None, sighting.pump):',
        'if stay.state != "open" or stay.left_at is not None:',
        wallet_tests("second_looks"),
    ),
    Planted(
        "a look that is sure of another text counts for the plate that the entry read",
        "wallet/decide.py",
        "found = _proved(likely, proof, *_against(sighting, vehicle.plate))",
        "found = _proved(likely, proof, 1, 1)",
        wallet_tests("second_looks"),
    ),
    Planted(
        "the colour that another camera saw is not heard",
        "wallet/second_looks.py",
        "        if look.text == text:",
        "        if False:",
        wallet_tests("second_looks"),
    ),
    Planted(
        "an entry that read otherwise is not heard",
        "wallet/second_looks.py",
        "if look.text is not None and _may_be_its_plate(look.text, text, station):",
        "if False:",
        wallet_tests("second_looks"),
    ),
    Planted(
        "a wallet may fall below zero",
        "wallet/ledger.py",
        "if min(self.principal_fen, self.bonus_fen, self.held_fen, self.available_fen, self.version) < 0:",
        "if False:",
        wallet_tests("ledger"),
    ),
    Planted(
        "a transfer may move nothing",
        "wallet/ledger.py",
        "if self.amount_fen <= 0:",
        "if False:",
        wallet_tests("ledger"),
    ),
    Planted(
        "a transfer may go nowhere",
        "wallet/ledger.py",
        "if self.from_account == self.to_account:",
        "if False:",
        wallet_tests("ledger"),
    ),
    Planted(
        "a capture may be above its hold",
        "wallet/ledger.py",
        "if not 0 < amount_fen <= hold_fen:",
        "if not 0 < amount_fen:",
        wallet_tests("ledger"),
    ),
    Planted(
        "a debit may be above what is available",
        "wallet/ledger.py",
        "if not 0 < amount_fen <= wallet.available_fen:",
        "if not 0 < amount_fen:",
        wallet_tests("ledger"),
    ),
    Planted(
        "the principal is taken first",
        "wallet/ledger.py",
        "bonus_fen = min(wallet.bonus_fen, amount_fen)",
        "bonus_fen = max(0, amount_fen - wallet.principal_fen)",
        wallet_tests("ledger"),
    ),
    Planted(
        "another body under a command's name gets the first answer",
        "wallet/once.py",
        "if known.body_hash != body:",
        "if False:",
        wallet_tests("commands"),
    ),
    Planted(
        "a refund may be above what was taken",
        "wallet/refunds.py",
        "if amount_fen > left_fen:",
        "if False:",
        wallet_tests("commands"),
    ),
    Planted(
        "the share of the bonus is forgotten in refunds",
        "wallet/refunds.py",
        "bonus_fen = bonus_share(debit.bonus_fen, debit.amount_fen, refunded_fen) - before.bonus_fen",
        "bonus_fen = 0",
        wallet_tests("commands"),
    ),
    Planted(
        "a debit may be reversed twice",
        "wallet/reversals.py",
        "if before.is_reversed:",
        "if False:",
        wallet_tests("commands"),
    ),
    Planted(
        "a bonus may be reversed twice",
        "wallet/reversals.py",
        "if balances.is_reversed(connection, transfer.id):",
        "if False:",
        wallet_tests("commands"),
    ),
    Planted(
        "one person may decide about an own adjustment",
        "wallet/adjusting.py",
        "if adjustment.proposed_by == command.actor:",
        "if False:",
        wallet_tests("commands"),
    ),
    Planted(
        "an answer goes to the call behind it",
        "wallet/store/singles.py",
        "yield from self._committed(self._sent.popleft(), said)",
        "yield from self._committed(self._sent.pop(), said)",
        wallet_tests("singles"),
        "postgresql",
    ),
    Planted(
        "a charge is answered before it is on disk",
        "wallet/store/singles.py",
        "elif said is None or self._is_lone:",
        "elif True:",
        wallet_tests("singles"),
        "postgresql",
    ),
    Planted(
        "charges of one wallet wait for each other's commits",
        "wallet/store/batching.py",
        "if last is not None and not last.done():",
        "if False:",
        wallet_tests("singles"),
        "postgresql",
    ),
    Planted(
        "the database lets a wallet hold more than it has",
        "wallet/wallet_rules.py",
        '"{0}principal_fen + {0}bonus_fen - {0}held_fen >= 0"',
        '"{0}version >= 0"',
        wallet_tests("constraints"),
        "postgresql",
    ),
    Planted(
        "PostgreSQL lets a wallet go back",
        "wallet/wallet_rules.py",
        " AND NEW.version >= COALESCE(OLD.version, 0)",
        "",
        wallet_tests("constraints"),
        "postgresql",
    ),
    Planted(
        "a fee is rounded up",
        "wallet/fees.py",
        "terms.fixed_fen + share_down(left_fen, terms.rate_ppm, MILLION)",
        "terms.fixed_fen + share_down(left_fen, terms.rate_ppm, MILLION) + 1",
        wallet_tests("fees"),
    ),
    Planted(
        "a fee may be above its sale",
        "wallet/fees.py",
        "return min(left_fen, terms.fixed_fen",
        "return max(0, terms.fixed_fen",
        wallet_tests("fees"),
    ),
    Planted(
        "a refund brings no fee back",
        "wallet/fees.py",
        "- fee_of(terms, move.was_fen)",
        "- 0",
        wallet_tests("fees"),
    ),
    Planted(
        "a fee counts by the terms of today",
        "wallet/fees.py",
        "if one.valid_from > moment:",
        "if False:",
        wallet_tests("fees"),
    ),
    Planted(
        "what is settled is settled again",
        "wallet/fees.py",
        "if move.block <= after.get(move.station, 0):",
        "if False:",
        wallet_tests("fees"),
    ),
    Planted(
        "a settlement counted before another is booked all the same",
        "wallet/fee_settling.py",
        "if rows.state(connection) != counted.state:",
        "if False:",
        wallet_tests("fees"),
    ),
    Planted(
        "terms may begin before a settled sale",
        "wallet/fee_settling.py",
        "if latest_at is not None and terms.valid_from <= latest_at:",
        "if False:",
        wallet_tests("fees"),
    ),
    Planted(
        "terms may begin in the past",
        "wallet/fee_settling.py",
        "if terms.valid_from < terms.recorded_at:",
        "if False:",
        wallet_tests("fees"),
    ),
    Planted(
        "both parts of a sale cost the fee",
        "wallet/store/fees.py",
        'or_(captures.c.bonus_fen == 0, transfers.c.from_account.like("%:bonus")),',
        'or_(captures.c.bonus_fen >= 0, transfers.c.from_account.like("%:bonus")),',
        wallet_tests("fees"),
    ),
    Planted(
        "a rejected charge costs a fee",
        "wallet/store/fees.py",
        ".where(charges.c.code.is_(None))",
        ".where(charges.c.id.is_not(None))",
        wallet_tests("fees"),
    ),
    Planted(
        "the audit counts no settlement anew",
        "wallet/audit_fees.py",
        "HAVING @uneven",
        "HAVING 1 = 0",
        wallet_tests("fees"),
    ),
    Planted(
        "the audit lets a settlement be missing",
        "wallet/audit_fees.py",
        "WHERE number <> number_before + 1 OR",
        "WHERE 1 = 0 AND number <> number_before + 1 OR 1 = 0 AND",
        wallet_tests("fees"),
    ),
    Planted(
        "fees are counted while others write",
        "wallet/fee_settling.py",
        "idle_blocks), snapshot=True",
        "idle_blocks), snapshot=False",
        wallet_tests("fees"),
        "postgresql and between_two_reads",
    ),
    Planted(
        "what is read on SQLite is of more than one moment",
        "wallet/store/database.py",
        '"BEGIN IMMEDIATE" if writes else "BEGIN"',
        '"BEGIN IMMEDIATE" if writes else "SELECT 1"',
        wallet_tests("fees"),
        "sqlite and between_two_reads",
    ),
    Planted(
        "a channel's wrong amount is credited",
        "wallet/recharge.py",
        "if order.amount_fen != payment.amount_fen:",
        "if False:",
        wallet_tests("recharge", "known_money_bugs"),
    ),
    Planted(
        "a paid order is credited again",
        "wallet/recharge.py",
        'if order.state == "paid":',
        "if False:",
        wallet_tests("recharge", "known_money_bugs"),
    ),
    Planted(
        "a sale with another body is taken for the same",
        "wallet/sales.py",
        "if selling.sale_hash(connection, sale.station, sale.sale_id) != body:",
        "if False:",
        wallet_tests("sales"),
    ),
    Planted(
        "litres and amount may differ",
        "wallet/sales.py",
        "if abs(computed_fen - sale.amount_fen) > 1:",
        "if False:",
        wallet_tests("sales"),
    ),
    Planted(
        "a stranger at the pump is overlooked",
        "wallet/sales.py",
        "if other is not None:",
        "if False:",
        wallet_tests("sales"),
    ),
    Planted(
        "a sighting with another body is taken for the same",
        "wallet/visits.py",
        "if forecourt.sighting_hash(connection, sighting.sighting_id) != body:",
        "if False:",
        wallet_tests("arrivals"),
    ),
    Planted(
        "the same car gets a second hold",
        "wallet/stays.py",
        "return max(continued, key=lambda visit: (visit.opened_at, visit.id), default=None)",
        "return None",
        wallet_tests("arrivals", "stays"),
    ),
    Planted(
        "a text that is near moves money",
        "wallet/decide.py",
        "    if not said.is_plate:\n        doubts.append(",
        "    if False:\n        doubts.append(",
        wallet_tests("decide", "arrivals"),
    ),
    Planted(
        "a wallet that changed meanwhile is written over",
        "wallet/store/balances.py",
        '    if changed != 1:\n        raise RuntimeError(f"wallet',
        '    if False:\n        raise RuntimeError(f"wallet',
        wallet_tests("statements"),
    ),
    Planted(
        "a hold is closed twice",
        "wallet/store/balances.py",
        '    .where(holds.c.id == bindparam("its_id"), holds.c.state == literal_column("\'live\'"))',
        '    .where(holds.c.id == bindparam("its_id"))',
        wallet_tests("statements"),
    ),
    Planted(
        "a sale is settled twice",
        "wallet/store/selling.py",
        '    if changed != 1:\n        raise RuntimeError(f"sale',
        '    if False:\n        raise RuntimeError(f"sale',
        wallet_tests("statements"),
    ),
    Planted(
        "a stop that is on record is not looked for",
        "wallet/store/on_record.py",
        "stops=bool(found.stops),",
        "stops=False,",
        wallet_tests("on_record"),
    ),
    Planted(
        "of two twins only one is on record",
        "wallet/store/on_record.py",
        "twins=bool(found.first_twin or found.second_twin),",
        "twins=bool(found.first_twin),",
        wallet_tests("on_record"),
    ),
    Planted(
        "limits of an account are not on record of its vehicles",
        "wallet/store/on_record.py",
        "limits=bool(found.vehicle_limits or found.account_limits),",
        "limits=bool(found.vehicle_limits),",
        wallet_tests("on_record"),
    ),
    Planted(
        "a nonce may be used again",
        "wallet/store/doors.py",
        'where=nonces.c.expires_at <= bindparam("now", type_=nonces.c.expires_at.type),',
        'where=nonces.c.expires_at > bindparam("now", type_=nonces.c.expires_at.type),',
        wallet_tests("access"),
    ),
    Planted(
        "an old key is admitted",
        "wallet/store/doors.py",
        '                devices.c.key_version == bindparam("key_version"),\n',
        "",
        ("tests/api/test_hot_lane.py",),
    ),
    Planted(
        "a disabled device is admitted",
        "wallet/store/doors.py",
        "                devices.c.disabled_at.is_(None),\n",
        "",
        ("tests/api/test_hot_lane.py",),
    ),
    Planted(
        "the lane believes any signature",
        "api/hot_lane.py",
        'if not hmac.compare_digest(wanted, headers[b"platepay-signature"]):',
        "if False:",
        ("tests/api/test_hot_lane.py",),
    ),
    Planted(
        "the lane takes any station",
        "api/hot_lane.py",
        "if route.names_station and message.station != device.station:",
        "if False:",
        ("tests/api/test_hot_lane.py",),
    ),
    Planted(
        "the lane takes a stale time",
        "api/hot_lane.py",
        "> WINDOW_S:",
        "> 10**9:",
        ("tests/api/test_hot_lane.py",),
    ),
    Planted(
        "the lane takes a field that stands twice",
        "api/hot_messages.py",
        "if len(_NAMES.findall(body)) != _fill(message):",
        "if _fill(message) < 0:",
        ("tests/api/test_hot_lane.py",),
    ),
    *LIMITS,
)


def survives(planted: Planted) -> str:
    """Why this mutation counts as not caught; empty where its tests fail as they must."""
    source = (ROOT / planted.file).read_text()
    if source.count(planted.old) != 1:
        return f"its place in {planted.file} is there {source.count(planted.old)} times"
    with tempfile.TemporaryDirectory(prefix="platepay-mutant-") as folder:
        for package in PACKAGES:
            path = ROOT / package
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, Path(folder) / package, **({"symlinks": True} if path.is_dir() else {}))  # type: ignore[operator]
        (Path(folder) / planted.file).write_text(source.replace(planted.old, planted.new))
        command = [
            sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-k", planted.only,
            f"--basetemp={folder}/tmp", *planted.tests,
        ]  # fmt: skip
        run = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    if run.returncode == 1:
        return ""
    last = (run.stdout.strip().splitlines() or ["no words"])[-1]
    return f"pytest ended with {run.returncode}: {last}"


def main(wanted: str) -> int:
    """Plays all whose name has `wanted` in it; how many were not caught."""
    left = 0
    chosen = [planted for planted in PLANTED if wanted in planted.name]
    for number, planted in enumerate(chosen, 1):
        started = time.monotonic()
        why = survives(planted)
        left += bool(why)
        verdict = f"SURVIVES ({why})" if why else "caught"
        sys.stdout.write(
            f"{number}/{len(chosen)} {planted.name}: {verdict}, {time.monotonic() - started:.0f} s\n"
        )
        sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - left} of {len(chosen)} caught\n")
    return left


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1] if len(sys.argv) > 1 else "")))
