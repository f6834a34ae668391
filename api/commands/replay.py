"""`platepay replay`: stored sightings decided again, by the same rules or others, and what would differ."""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.commands.failures import CommandError

if TYPE_CHECKING:
    from api.reweighing import Reweighing
    from api.settings import Settings
    from wallet.deciding import DeciderFact
    from wallet.proof import Proof
    from wallet.replay_diff import Diff
    from wallet.rules import Rules
    from wallet.store.replay import StoredDecision


@dataclass(frozen=True)
class Asked:
    """What the command was asked for. changes: NAME=NUMBER. out: where each decision is written."""

    since: str | None
    until: str | None
    station: str | None
    rules: Path | None
    changes: tuple[str, ...]
    shadow: bool
    sharpness: float
    out: Path | None
    check: bool
    as_json: bool


def replay(asked: Asked) -> int:
    """Decide again and tell the difference; returns 1 where --check finds a drift or a wrong car."""
    from api.commands.database import open_existing_wallet
    from api.reweighing import Reweighing
    from api.settings import read_settings
    from wallet.store.replay import Span

    if not 0.1 <= asked.sharpness <= 10:
        raise CommandError(f"--reader-calibration is an exponent from 0.1 to 10, not {asked.sharpness}")
    settings = read_settings()
    span = Span(_moment("--since", asked.since), _moment("--until", asked.until), asked.station)
    choose = Choice(asked, settings)
    wallet = open_existing_wallet(settings)
    lines = hashlib.sha256()
    written = None if asked.out is None else _open(asked.out)
    try:
        again = Reweighing(wallet.proof, asked.sharpness)
        diff, by = _compare(
            wallet.proof, span_of=span, choose=choose, again=again, lines=lines, written=written
        )
    finally:
        wallet.close()
        if written is not None:
            written.close()
    problems = problems_of(diff)
    if asked.as_json:
        told = {
            **diff.as_dict(),
            "code_sha256": choose.code,
            "deciders": by,
            "decisions_sha256": lines.hexdigest(),
            "ok": not problems,
            "problems": problems,
        }
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(text_of(diff) + "".join(f"{problem}\n" for problem in problems))
    return 1 if asked.check and problems else 0


class Choice:
    """Which rules decide each sighting: its own, or others with what was asked for changed."""

    def __init__(self, asked: Asked, settings: Settings) -> None:
        from api.deciding import code_sha256
        from api.settings import shadow_rules
        from wallet.rules import Rules

        self.code = code_sha256()
        self._as_read = asked.sharpness == 1.0
        self._configured = Rules(**settings.rule_overrides())
        self._others: Rules | None = None
        if asked.rules is not None:
            self._others = _rules(read_rules(asked.rules))
        elif asked.shadow:
            self._others = shadow_rules(settings)
            if self._others is None:
                raise CommandError("--shadow needs PLATEPAY_SHADOW_RULES, such as auto_ceiling_ppm=1000")
        self._changes = dict(_change(text) for text in asked.changes)

    def rules(self, decider: DeciderFact | None) -> Rules:
        """The rules for a decision of this decider."""
        if self._others is not None:
            base = self._others
        elif decider is not None:
            base = _rules({name: decider.rules[name] for name in _names() if name in decider.rules})
        else:
            base = self._configured
        return replace(base, **self._changes) if self._changes else base

    def is_same(self, decider: DeciderFact | None, rules: Rules) -> bool:
        """Whether the very code, rules and readings decide that decided then."""
        return (
            self._as_read
            and decider is not None
            and decider.code_sha256 == self.code
            and decider.rules == asdict(rules)
        )


def _compare(
    proof: Proof, *, span_of: Any, choose: Choice, again: Reweighing, lines: Any, written: Any
) -> tuple[Diff, dict[str, int]]:
    from wallet.replay_diff import Diff, line
    from wallet.replaying import decide_again

    diff = Diff()
    known: dict[str | None, DeciderFact | None] = {None: None}
    by: dict[str, int] = {}
    for stored in _kept(proof.decisions(span_of), diff):
        decider_id = stored.decider_id
        if decider_id not in known:
            known[decider_id] = proof.decider(str(decider_id))
        decider = known[decider_id]
        by[decider_id or "not recorded"] = by.get(decider_id or "not recorded", 0) + 1
        rules = choose.rules(decider)
        if stored.inputs is None:
            raise RuntimeError("a decision without inputs is not made again")
        sighting = again.sighting(stored.sighting)
        posterior = again.posterior(sighting, stored.inputs.weighed, stored.match.posterior)
        verdict = decide_again(sighting, posterior, stored.inputs, rules)
        diff.see(stored, verdict, same_decider=choose.is_same(decider, rules))
        text = json.dumps(line(stored, verdict), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        lines.update(f"{text}\n".encode())
        if written is not None:
            written.write(f"{text}\n")
    return diff, dict(sorted(by.items()))


def _kept(stored: Iterator[StoredDecision], diff: Diff) -> Iterator[StoredDecision]:
    for one in stored:
        if one.inputs is None:
            diff.not_kept += 1
        else:
            yield one


def problems_of(diff: Diff) -> list[str]:
    """What --check does not let pass."""
    problems = []
    if diff.drifted:
        problems.append(f"drift: {diff.drifted} decisions of the same code and rules are not the same again")
    if diff.becomes_wrong:
        problems.append(
            f"wrong: {diff.becomes_wrong} cars would pay by themselves from an account known to be not theirs"
        )
    return problems


def text_of(diff: Diff) -> str:
    """The difference for people."""
    from wallet.money import format_yuan

    lines = [
        f"{diff.decisions} decisions made again: {diff.same} the same, {diff.words_only} in other words, "
        f"{diff.changed} otherwise; {diff.not_kept} cannot be made again",
        *(f"  {name}: {count}" for name, count in sorted(diff.transitions.items())),
        f"reserved: {format_yuan(diff.held_fen)} yuan then, {format_yuan(diff.then_held_fen)} yuan now",
        f"taken by itself then, and not so now: {format_yuan(diff.taken_otherwise_fen)} yuan",
        f"for a person: {diff.review_before} then, {diff.review_after} now",
    ]
    listed = [
        f"  {change.visit_id or change.sighting_id}: {change.before} {change.before_plate or '-'} -> "
        f"{change.after} {change.after_plate or '-'} ({', '.join(change.reasons)})"
        for change in diff.listed[:20]
    ]
    return "\n".join([*lines, *listed]) + "\n"


def read_rules(path: Path) -> dict[str, Any]:
    """The rules in a file of JSON or TOML. Raises CommandError."""
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise CommandError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise CommandError(f"{path}: is neither JSON nor TOML ({error})") from error
    if not isinstance(found, dict):
        raise CommandError(f"{path}: holds no names with numbers")
    return found


def _rules(values: dict[str, Any]) -> Rules:
    from wallet.rules import Rules

    unknown = sorted(set(values) - set(_names()))
    if unknown:
        raise CommandError(f"there is no rule called {unknown[0]}; the rules are {', '.join(_names())}")
    return Rules(**values)


def _names() -> list[str]:
    from wallet.rules import Rules

    return [field.name for field in fields(Rules)]


def _change(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if name not in _names() or not number.isdigit():
        raise CommandError(f"--set is NAME=NUMBER such as auto_ceiling_ppm=10000, not {text!r}")
    return name, int(number)


def _moment(option: str, written: str | None) -> datetime | None:
    if written is None:
        return None
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CommandError(f"{option} is a time with its zone such as 2026-11-21T08:00:00Z, not {written!r}")
    return moment.astimezone(UTC)


def _open(path: Path) -> Any:
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path}: cannot be written ({error.strerror})") from error
