"""`platepay fees`: what stations' sales cost them, on the configured database."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from api.commands.failures import CommandError
from api.settings import read_settings

if TYPE_CHECKING:
    from wallet.fee_facts import FeeSettlement, FeeTerms
    from wallet.service import Wallet


def set_fee(
    *,
    station: str,
    rate_ppm: int,
    fixed_fen: int,
    valid_from: str | None,
    reason: str,
    by: str,
    key: str,
    as_json: bool,
) -> int:
    """Write down terms; returns 0, or 1 where they are rejected."""
    from wallet.command_facts import Rejected

    since = None if valid_from is None else _moment("--from", valid_from)
    with _wallet() as wallet:
        _must_move_money(wallet, by)
        done = wallet.fees.set_terms(
            station,
            rate_ppm,
            reason,
            fixed_fen=fixed_fen,
            valid_from=since,
            key=key,
            actor=by,
            now=datetime.now(UTC),
        )
    if isinstance(done, Rejected):
        _print({"outcome": "rejected", "code": done.code, "text": done.text}, as_json, f"{done.text}\n")
        return 1
    told = f"terms {done.terms_id} of {station}: {rate_ppm} ppm and {fixed_fen} fen a sale\n"
    _print({"outcome": "done", "terms_id": done.terms_id, "station": station}, as_json, told)
    return 0


def settle(*, station: str | None, through: str | None, by: str, key: str, as_json: bool) -> int:
    """Seal where all is to be settled and the secret is here, then settle; returns 0."""
    from api.keys import find_secret, ledger_key
    from wallet.command_facts import Rejected

    until = None if through is None else _moment("--through", through)
    settings = read_settings()
    secret = find_secret(settings)
    with _wallet() as wallet:
        _must_move_money(wallet, by)
        if until is None and secret is not None:
            wallet.proving.seal(ledger_key(secret), everything=True)
        now = datetime.now(UTC)
        done = wallet.fees.settle(station=station, through=until, key=key, actor=by, now=now)
    if isinstance(done, Rejected):
        raise TypeError(f"a settlement was answered with {done!r}")
    found = {
        "through_block": done.through_block,
        "settlements": done.settlements,
        "debits": done.debits,
        "refunds": done.refunds,
        "base_fen": done.base_fen,
        "fee_fen": done.fee_fen,
    }
    told = (
        f"{done.settlements} stations settled up to block {done.through_block}: {done.debits} sales and "
        f"{done.refunds} refunds over {done.base_fen} fen cost {done.fee_fen} fen\n"
    )
    _print(found, as_json, told)
    return 0


def list_fees(*, station: str | None, limit: int, as_json: bool) -> int:
    """Print terms and settlements; returns 0."""
    with _wallet() as wallet:
        terms, settled = wallet.fees.terms(station), wallet.fees.settlements(station, limit)
    found = {"terms": [_terms(one) for one in terms], "settlements": [_settlement(one) for one in settled]}
    lines = [*map(_terms_line, terms), *map(_settlement_line, settled)]
    _print(found, as_json, "".join(lines) or "no station has terms: no fee anywhere\n")
    return 0


def statement(*, station: str, limit: int, as_json: bool) -> int:
    """Print what a station has sold and what of it was kept; returns 0."""
    with _wallet() as wallet:
        funds, settled = wallet.fees.funds(station), wallet.fees.settlements(station, limit)
    shown = {"station": station, "revenue_fen": funds.revenue_fen, "fee_fen": funds.fee_fen}
    text = "".join(f"{name}: {value}\n" for name, value in shown.items())
    found = {**shown, "settlements": [_settlement(one) for one in settled]}
    _print(found, as_json, text + "".join(map(_settlement_line, settled)))
    return 0


@contextmanager
def _wallet() -> Iterator[Wallet]:
    from api.commands.database import open_existing_wallet

    with closing(open_existing_wallet(read_settings())) as wallet:
        yield wallet


def _must_move_money(wallet: Wallet, name: str) -> None:
    """Raises CommandError for nobody's name, and for an operator without the right."""
    from api.rights import RIGHTS

    operator = wallet.access.operator(name)
    if operator is None or operator.disabled_at is not None:
        raise CommandError(f"--by names no operator: {name!r}; `platepay operator add` makes one")
    if "money" not in RIGHTS.get(operator.role, frozenset()):
        raise CommandError(f"{name} is {operator.role} and may not move money; admin and finance may")


def _moment(option: str, written: str) -> datetime:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CommandError(f"{option} is a time with its zone such as 2026-11-21T08:00:00Z, not {written!r}")
    return moment


def _print(found: dict[str, Any], as_json: bool, text: str) -> None:
    sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n" if as_json else text)


def _terms(terms: FeeTerms) -> dict[str, Any]:
    return {
        "terms_id": terms.id,
        "station": terms.station,
        "rate_ppm": terms.rate_ppm,
        "fixed_fen": terms.fixed_fen,
        "valid_from": terms.valid_from.isoformat(),
        "reason": terms.reason,
        "set_by": terms.actor,
        "set_at": terms.recorded_at.isoformat(),
    }


def _settlement(settled: FeeSettlement) -> dict[str, Any]:
    return {
        "settlement_id": settled.id,
        "station": settled.station,
        "number": settled.number,
        "after_block": settled.after_block,
        "to_block": settled.to_block,
        "debits": settled.debits,
        "refunds": settled.refunds,
        "base_fen": settled.base_fen,
        "fee_fen": settled.fee_fen,
        "settled_by": settled.actor,
        "settled_at": settled.recorded_at.isoformat(),
        "lines": [
            {
                "terms_id": line.terms_id,
                "debits": line.debits,
                "refunds": line.refunds,
                "fee_fen": line.fee_fen,
            }
            for line in settled.lines
        ],
    }


def _terms_line(terms: FeeTerms) -> str:
    return (
        f"{terms.station} from {terms.valid_from.isoformat()}: {terms.rate_ppm} ppm and "
        f"{terms.fixed_fen} fen a sale, by {terms.actor}: {terms.reason}\n"
    )


def _settlement_line(settled: FeeSettlement) -> str:
    return (
        f"{settled.station}/{settled.number} at {settled.recorded_at.isoformat()}, blocks "
        f"{(settled.after_block or 0) + 1} to {settled.to_block}: {settled.debits} sales, "
        f"{settled.refunds} refunds, {settled.base_fen} fen, fee {settled.fee_fen} fen\n"
    )
