"""A decision made again, from what was stored with it: pure, so that the same input gives the same answer.

It takes the very functions that decide live. What it cannot know, such as the wallet of another account than
the one that was asked then, it says instead of guessing.
"""

from __future__ import annotations

from dataclasses import dataclass

from wallet import decide
from wallet.deciding import Deciding, Inputs
from wallet.facts import Match, Outcome, Posterior, Reason, SightingFact
from wallet.rules import Rules


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would be done with a sighting. hold_fen: what would be reserved; 0 where a stay goes on."""

    outcome: Outcome
    plate: str | None
    account_id: str | None
    wrong_ppm: int
    amount_fen: int
    expected_loss_fen: int
    hold_fen: int
    joined: bool
    reasons: tuple[Reason, ...]


def decide_again(sighting: SightingFact, posterior: Posterior, inputs: Inputs, rules: Rules) -> Verdict:
    """The decision about a sighting, had these rules and this posterior been there then."""
    bound = {vehicle.plate: vehicle for vehicle in inputs.bound}
    likely = decide.most_likely(posterior, bound)
    why = decide.is_stranger(sighting, likely, rules)
    if why is not None or likely is None:
        why = why or Reason("not_registered", f"No registered plate fits {sighting.text}.")
        return _verdict(decide.stranger(sighting, why))
    if inputs.available_fen is None or inputs.for_hold_fen is None:
        unknown = Reason("not_recorded", f"The wallet of {likely.vehicle.plate} was not asked then.")
        return _verdict(decide.decide(sighting, likely, rules.hold_fen, rules, (unknown,)))
    stay = inputs.stay
    if stay is None:
        amount_fen = decide.hold_for(inputs.available_fen, inputs.wanted, rules)
    else:
        amount_fen = stay.hold_fen if stay.state == "open" else 0
    decision = decide.decide(sighting, likely, amount_fen, rules, inputs.objections, inputs.proof)
    if decision.outcome != "auto" or stay is not None:
        return _verdict(decision, joined=decision.outcome == "auto")
    hold_fen = decide.hold_for(inputs.for_hold_fen, inputs.wanted, rules)
    if hold_fen < (least_fen := decide.least_hold(inputs.wanted, rules)):
        return _verdict(decide.without_funds(decision, inputs.for_hold_fen, least_fen))
    return _verdict(decision, hold_fen=hold_fen)


def _verdict(decision: decide.Decision, *, hold_fen: int = 0, joined: bool = False) -> Verdict:
    vehicle = decision.vehicle
    return Verdict(
        outcome=decision.outcome,
        plate=vehicle.plate if vehicle else None,
        account_id=vehicle.account_id if vehicle else None,
        wrong_ppm=decision.wrong_ppm,
        amount_fen=decision.amount_fen,
        expected_loss_fen=decision.expected_loss_fen,
        hold_fen=hold_fen,
        joined=joined,
        reasons=decision.reasons,
    )


def recorded(match: Match) -> Verdict:
    """What was decided then."""
    return Verdict(
        outcome=match.outcome,
        plate=match.plate,
        account_id=match.account_id,
        wrong_ppm=match.wrong_ppm,
        amount_fen=match.amount_fen,
        expected_loss_fen=match.expected_loss_fen,
        hold_fen=match.hold_fen,
        joined=match.joined,
        reasons=match.reasons,
    )


def shadow_of(deciding: Deciding, sighting: SightingFact, match: Match, inputs: Inputs) -> Verdict | None:
    """What the shadow rules would have done; None where there are none."""
    if deciding.shadow is None:
        return None
    return decide_again(sighting, match.posterior, inputs, deciding.shadow)
