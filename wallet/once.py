"""A command is worked on once: its answer is stored beside what it did, and given again for ever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy import Connection

from wallet.command_facts import Answer, Rejected, from_json, to_json
from wallet.errors import KeyReused
from wallet.fingerprint import body_hash
from wallet.store import commands
from wallet.store.database import Store
from wallet.wording import check_text

A = TypeVar("A", bound=Answer)
T = TypeVar("T")
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Command:
    """Who asks for what under which name. scope: the kind of command; the key names it there, for ever."""

    scope: str
    key: str
    body: dict[str, Any]
    actor: str
    now: datetime
    new_id: Callable[[], str]


class AnsweredMeanwhile(Exception):  # noqa: N818
    """Somebody else answered this very command while we worked: nothing of ours counts, look again."""


def write_named(store: Store, use_case: Callable[[Connection], T], now: datetime) -> T:
    """What a use case under a name comes to.

    The name with another body is written down before it is refused: raises KeyReused.
    """
    for _ in range(_ATTEMPTS):
        try:
            return store.write(use_case)
        except AnsweredMeanwhile:
            # The next look finds the answer: it was committed before ours was refused.
            continue
        except KeyReused as reused:
            _write_down(store, commands.KeyConflict(reused.scope, reused.key, reused.body_hash, now))
            raise
    raise RuntimeError("a command was answered meanwhile, but its answer is not there")


def _write_down(store: Store, conflict: commands.KeyConflict) -> None:
    store.write(lambda connection: commands.add_conflict(connection, conflict))


def once(connection: Connection, command: Command, work: Callable[[], A | Rejected]) -> A | Rejected:
    """The stored answer of this command, or what `work` comes to, stored.

    The actor does not belong to the body: whoever repeats a command gets its answer. `work` locks the wallet
    it moves money of before it writes: of two at once the second finds the first one's row at the end.
    Raises KeyReused for another body under the same key, AnsweredMeanwhile.
    """
    check_text("key", command.key, 255)
    body = body_hash(command.body)
    known = commands.find(connection, command.scope, command.key)
    if known is not None:
        if known.body_hash != body:
            raise KeyReused(command.scope, command.key, body)
        return cast("A | Rejected", from_json(known.answer))
    answer = work()
    stored = commands.add(
        connection,
        commands.StoredCommand(
            id=command.new_id(),
            scope=command.scope,
            key=command.key,
            body_hash=body,
            code=answer.code if isinstance(answer, Rejected) else "done",
            answer=to_json(answer),
            actor=command.actor,
            recorded_at=command.now,
        ),
    )
    if not stored:
        raise AnsweredMeanwhile()
    return answer
