"""What others do with a string: exact match of the best look, one edit allowed, majority vote of looks.

All are ranked by their own confidence and cut where they are as automatic as ours on the same visits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from api.simulation.drawing import Seen
from api.simulation.intervals import rate_interval
from api.simulation.register import Register

EXACT: Final = "best string, exact match"
EDIT: Final = "best string, edit distance 1 allowed"
VOTE: Final = "majority vote of strings, exact match"
OURS_ALONE: Final = "our own reading, exact match, no account knowledge"
NAMES: Final = (EXACT, EDIT, VOTE, OURS_ALONE)


@dataclass(frozen=True, slots=True)
class Said:
    """A string with how sure its maker is."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Debit:
    """A debit a baseline would make. weight: of the visit.

    is_wrong: the string is not the plate's, and somebody else pays. is_twin: the string is right, but it is
    registered on a plate of another colour.
    """

    confidence: float
    weight: float
    is_customer: bool
    is_wrong: bool
    is_twin: bool


def best_look(seen: Seen) -> Said:
    """The look with the highest confidence."""
    return Said(*max(seen.looks, key=lambda look: look[1]))


def majority(seen: Seen) -> Said:
    """The string most looks agree on; of several the surest. Its confidence: its share, then its mean."""
    votes = Counter(text for text, _ in seen.looks)
    sums: dict[str, float] = {}
    for text, confidence in seen.looks:
        sums[text] = sums.get(text, 0.0) + confidence
    text = max(votes, key=lambda t: (votes[t], sums[t]))
    return Said(text, votes[text] / len(seen.looks) + 1e-6 * sums[text] / votes[text])


def own_reading(seen: Seen) -> Said:
    """What our readers say over all looks, ranked by what they say of it."""
    return Said(seen.text or "", 1.0 - seen.wrong_ppm / 1e6)


@dataclass(slots=True)
class Baselines:
    """The debits each baseline would make."""

    register: Register
    debits: dict[str, list[Debit]] = field(default_factory=lambda: {name: [] for name in NAMES})

    def texts(self, seen: Seen) -> list[str]:
        """What has to be looked up among neighbours."""
        return [best_look(seen).text] if seen.looks else []

    def watch(self, seen: Seen, weight: float, *, is_customer: bool) -> None:
        """Counts a visit."""
        if not seen.looks:
            return
        best, register = best_look(seen), self.register
        near = best.text if best.text in register else min(register.near(best.text), default=None)
        for name, said, plate in (
            (EXACT, best, best.text if best.text in register else None),
            (EDIT, best, near),
            (VOTE, vote := majority(seen), vote.text if vote.text in register else None),
            (OURS_ALONE, own := own_reading(seen), own.text if own.text in register else None),
        ):
            if plate is not None:
                is_own = plate == seen.plate
                self.debits[name].append(
                    Debit(said.confidence, weight, is_customer, not is_own, is_own and not is_customer)
                )


def at_share(debits: Sequence[Debit], wanted: float, visits: float, heaviest: float) -> dict[str, Any]:
    """The rate of wrong debits where so much of customers' visits (weights) is automatic.

    Debits of one confidence are taken in part, alike. wanted, visits: weights of customers' visits. A string
    has no colour, so it debits who has it in another one: these are among the wrong debits, and told apart.
    """
    reached = wrong = twins = 0.0
    counts: dict[float, int] = {}
    ranked = sorted(debits, key=lambda d: -d.confidence)
    place = 0
    while place < len(ranked) and reached < wanted - 1e-12:
        end = place
        while end < len(ranked) and ranked[end].confidence == ranked[place].confidence:
            end += 1
        alike = ranked[place:end]
        automatic = sum(d.weight for d in alike if d.is_customer)
        part = min(1.0, (wanted - reached) / automatic) if automatic > 0 else 1.0
        reached += part * automatic
        for d in alike:
            twins += part * d.weight * d.is_twin
            if d.is_wrong or d.is_twin:
                wrong += part * d.weight
                counts[d.weight] = counts.get(d.weight, 0) + 1
        place = end
    _, low, high = rate_interval(counts.items(), heaviest)
    total = sum(weight * count for weight, count in counts.items())
    scale = wrong / total if total else 1.0
    return {
        "wrong_per_100k": per_100k(wrong, visits),
        "low": per_100k(low * scale, visits),
        "high": per_100k(high * scale, visits),
        "of_another_colour_per_100k": per_100k(twins, visits),
        "automatic": round(reached / visits, 5) if visits else 0.0,
        "reaches_our_share": reached >= wanted - 1e-9,
    }


def per_100k(weight: float, visits: float) -> float:
    """So many a hundred thousand visits."""
    return round(1e5 * weight / visits, 4) if visits else 0.0
