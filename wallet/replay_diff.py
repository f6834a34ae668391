"""What would be different, had other rules or another reading decided: counts, fen, the visits concerned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from wallet.replaying import Verdict, recorded
from wallet.store.replay import StoredDecision

MOST_LISTED = 1_000


@dataclass(frozen=True, slots=True)
class Change:
    """A sighting that would be decided otherwise. before, after: outcome and plate."""

    sighting_id: str
    visit_id: str | None
    before: str
    after: str
    before_plate: str | None
    after_plate: str | None
    before_hold_fen: int
    after_hold_fen: int
    captured_fen: int
    reasons: tuple[str, ...]
    becomes_wrong: bool


@dataclass(slots=True)
class Diff:
    """Sums over all decisions that were made again.

    same, changed: how many decide as they did. words_only: the same decision in other words or another sum.
    drifted: those of the very same decider that do not decide the same again: that must never be.
    not_kept: decided before inputs were kept, or erased since: they cannot be made again.
    taken_otherwise_fen: what was captured by itself and now would not be, or not from the same account.
    held_fen, then_held_fen: what was and would be reserved.
    becomes_wrong: a car that is known to be another's, or nobody's, would pay by itself.
    """

    decisions: int = 0
    same: int = 0
    words_only: int = 0
    changed: int = 0
    drifted: int = 0
    not_kept: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    transitions: Counter[str] = field(default_factory=Counter)
    held_fen: int = 0
    then_held_fen: int = 0
    taken_otherwise_fen: int = 0
    review_before: int = 0
    review_after: int = 0
    becomes_wrong: int = 0
    stays_right: int = 0
    listed: list[Change] = field(default_factory=list)

    def see(self, stored: StoredDecision, verdict: Verdict, *, same_decider: bool) -> None:
        """One more decision that was made again."""
        before = recorded(stored.match)
        self.decisions += 1
        self.outcomes[verdict.outcome] += 1
        self.held_fen += before.hold_fen
        self.then_held_fen += verdict.hold_fen
        self.review_before += before.outcome == "review"
        self.review_after += verdict.outcome == "review"
        wrong = becomes_wrong(stored, verdict)
        self.becomes_wrong += wrong
        if verdict == before:
            self.same += 1
            self.stays_right += before.outcome == "auto" and not is_known_wrong(stored, before.plate)
            return
        self.drifted += same_decider
        if _what(verdict) == _what(before):
            self.words_only += 1
            return
        self.changed += 1
        self.transitions[f"{_short(before)} -> {_short(verdict)}"] += 1
        if before.outcome == "auto" and (verdict.outcome, verdict.account_id) != ("auto", before.account_id):
            self.taken_otherwise_fen += stored.captured_fen
        if len(self.listed) < MOST_LISTED:
            self.listed.append(_change(stored, before, verdict, becomes_wrong=wrong))

    def as_dict(self) -> dict[str, Any]:
        """For machines; the same sums give the same text."""
        told = asdict(self)
        told["outcomes"] = dict(sorted(self.outcomes.items()))
        told["transitions"] = dict(sorted(self.transitions.items()))
        return told


def becomes_wrong(stored: StoredDecision, verdict: Verdict) -> bool:
    """Whether a car would now pay by itself from an account that is known to be the wrong one.

    Known is what a person said of this sighting; where nobody was asked, what was captured and not taken
    back is taken for right.
    """
    if verdict.outcome != "auto":
        return False
    before = recorded(stored.match)
    if (before.outcome, before.account_id) == ("auto", verdict.account_id):
        return False
    return is_known_wrong(stored, verdict.plate)


def is_known_wrong(stored: StoredDecision, plate: str | None) -> bool:
    """Whether this plate is known not to be the car's."""
    if plate in stored.wrong:
        return True
    if stored.truth:
        return plate not in stored.truth
    match = stored.match
    was_right = match.outcome == "auto" and stored.captured_fen > 0 and not stored.is_reversed
    return was_right and plate != match.plate


def _what(verdict: Verdict) -> tuple[object, ...]:
    """What it does, whatever it says."""
    return (verdict.outcome, verdict.account_id, verdict.plate, verdict.hold_fen, verdict.joined)


def _short(verdict: Verdict) -> str:
    return verdict.outcome if not verdict.joined else f"{verdict.outcome} (same stay)"


def _change(stored: StoredDecision, before: Verdict, verdict: Verdict, *, becomes_wrong: bool) -> Change:
    return Change(
        sighting_id=stored.sighting.sighting_id,
        visit_id=stored.match.visit_id,
        before=before.outcome,
        after=verdict.outcome,
        before_plate=before.plate,
        after_plate=verdict.plate,
        before_hold_fen=before.hold_fen,
        after_hold_fen=verdict.hold_fen,
        captured_fen=stored.captured_fen,
        reasons=tuple(reason.code for reason in verdict.reasons),
        becomes_wrong=becomes_wrong,
    )


def line(stored: StoredDecision, verdict: Verdict) -> Mapping[str, Any]:
    """A decision as replay writes it: the same input decided by the same code gives the same line."""
    told = asdict(verdict)
    told["reasons"] = [[reason.code, reason.text] for reason in verdict.reasons]
    return {"sighting_id": stored.sighting.sighting_id, **told}
