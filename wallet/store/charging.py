"""The short way of charges on PostgreSQL: one call of a stored function, in a transaction of its own.

The functions stand in wallet/charge_functions.py. What they leave undone goes the long way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wallet.batching_charges import ChargeCommand
from wallet.charge_functions import SEPARATOR
from wallet.command_facts import Charged
from wallet.ledger import revenue

if TYPE_CHECKING:
    from wallet.store.lines import Lines

ONE = b"SELECT platepay_charge($1, $2, $3, $4, $5, $6, $7, $8, $9)"
_MANY = b"SELECT platepay_charges($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
_OPEN = b"INSERT INTO ledger_accounts (id, kind) VALUES ($1, 'revenue') ON CONFLICT DO NOTHING"


def values_of(command: ChargeCommand) -> list[bytes]:
    """The parameters of the call for this charge alone; its station's account must be open."""
    values = (
        command.charge_id, command.key, command.body_hash, command.account_id, command.station,
        command.purpose, str(command.amount_fen), command.actor, command.now.isoformat(),
    )  # fmt: skip
    return [value.encode() for value in values]


def charged(command: ChargeCommand, said: bytes) -> Charged:
    """What that call has answered."""
    return _charged(command, int(said), 0)


def charge_one(lines: Lines, command: ChargeCommand) -> Charged | None:
    """The charge taken and on disk, or None where it must go the long way."""
    _open(lines, (command.station,))
    said = lines.call(ONE, values_of(command))
    return None if said is None else charged(command, said)


def charge_many(lines: Lines, commands: Sequence[ChargeCommand]) -> list[Charged | None]:
    """The same for each of many, in one transaction; a name that comes again goes the long way."""
    first: dict[str, ChargeCommand] = {}
    for command in commands:
        first.setdefault(command.key, command)
    batch = _Batch(list(first.values()))
    if batch.is_ambiguous:
        return [None] * len(commands)
    _open(lines, batch.stations)
    said = lines.call(_MANY, batch.values)
    if said is None:
        return [None] * len(commands)
    before = [None if total == "NULL" else int(total) for total in said.decode()[1:-1].split(",")]
    if len(first) == len(commands):
        return batch.answers(before)
    done = {
        id(command): answer for command, answer in zip(first.values(), batch.answers(before), strict=True)
    }
    return [done.get(id(command)) for command in commands]


def _open(lines: Lines, stations: Sequence[str]) -> None:
    """Opens the revenue account of each station, the first time this process meets it."""
    for station in stations:
        if station not in lines.known:
            lines.call(_OPEN, [revenue(station).encode()])
            lines.known.add(station)


class _Batch:
    """The arguments of one call for many charges, and what its answer means for each."""

    def __init__(self, commands: Sequence[ChargeCommand]) -> None:
        self._commands = commands
        accounts = sorted({command.account_id for command in commands})
        place_of = {account: place for place, account in enumerate(accounts)}
        totals, times, numbers = [0] * len(accounts), [0] * len(accounts), []
        self._places = [place_of[command.account_id] for command in commands]
        self._runs: list[int] = []
        for command, place in zip(commands, self._places, strict=True):
            totals[place] += command.amount_fen
            times[place] += 1
            self._runs.append(totals[place])
            numbers.append(times[place])
        stations = [command.station for command in commands]
        self.stations = sorted(set(stations))
        texts = (
            accounts,
            [command.charge_id for command in commands],
            [command.key for command in commands],
            [command.body_hash for command in commands],
            stations,
            [command.purpose for command in commands],
            [command.actor for command in commands],
        )
        joined = [SEPARATOR.join(words) for words in texts]
        self.is_ambiguous = any(
            text.count(SEPARATOR) != len(words) - 1 for text, words in zip(joined, texts, strict=True)
        )
        whose, ids, keys, hashes, where, why, who = (text.encode() for text in joined)
        self.values = (
            whose, _array(totals), _array(times), ids, keys, hashes,
            _array([place + 1 for place in self._places]), where, why,
            _array([command.amount_fen for command in commands]), _array(self._runs), _array(numbers), who,
            f"{{{','.join([command.now.isoformat() for command in commands])}}}".encode(),
        )  # fmt: skip

    def answers(self, before: Sequence[int | None]) -> list[Charged | None]:
        """before: what each wallet had, as the function says it; None: it was left as it was."""
        return [
            None if (total := before[place]) is None else _charged(command, total, run_fen)
            for command, place, run_fen in zip(self._commands, self._places, self._runs, strict=True)
        ]


def _array(numbers: Sequence[int]) -> bytes:
    return f"{{{','.join(map(str, numbers))}}}".encode()


def _charged(command: ChargeCommand, total: int, run_fen: int) -> Charged:
    """total: of the wallet, as the functions say it; run_fen: what of it is gone since."""
    is_bonus = total < 0
    return Charged(
        charge_id=command.charge_id,
        account_id=command.account_id,
        station=command.station,
        amount_fen=command.amount_fen,
        bonus_fen=command.amount_fen if is_bonus else 0,
        principal_fen=0 if is_bonus else command.amount_fen,
        balance_fen=(-1 - total if is_bonus else total) - run_fen,
    )
