"""The decision: is this reading good enough to move this much of this person's money?

What decides is expected loss: the chance that the plate is not the car's, times the amount held and the cost
of a dispute, against what a look by a person costs, the driver's waiting included. A plate whose very text no
camera read never moves money. Every reason carries its numbers. Pure: whole fen and whole ppm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Final

from wallet.facts import Outcome, Posterior, Reason, SightingFact, Vehicle
from wallet.money import MILLION, format_yuan, share_down, share_up, times_up
from wallet.rules import Rules


@dataclass(frozen=True, slots=True)
class Likely:
    """The most likely registered vehicle, and the next one."""

    vehicle: Vehicle
    ppm: int
    runner_up: str | None
    runner_up_ppm: int

    @property
    def wrong_ppm(self) -> int:
        """Chance that the plate is not this vehicle's."""
        return MILLION - self.ppm


# Of the sure errors of one camera another makes the same so often: some are on the plate itself.
SAME_ERROR_PPM: Final = 100_000


@dataclass(frozen=True, slots=True)
class Proof:
    """What another camera surely said of the car: the very text and colour of the likely vehicle.

    reading_wrong_ppm: of that reading alone. wrong_ppm, runner_up_ppm: of the decision that was made on it,
    where it is one of the stay that the sighting continues; else None.
    """

    reading_wrong_ppm: int
    wrong_ppm: int | None = None
    runner_up_ppm: int | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What all cameras say. read_ppm: chance that the text is wrong; is_plate: one of them read the plate."""

    read_ppm: int
    likely: Likely
    is_plate: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a sighting, and why. amount_fen: what was weighed against the chance of being wrong."""

    outcome: Outcome
    vehicle: Vehicle | None
    wrong_ppm: int
    amount_fen: int
    expected_loss_fen: int
    runner_up: str | None
    runner_up_ppm: int
    reasons: tuple[Reason, ...]


def most_likely(posterior: Posterior, bound: Mapping[str, Vehicle]) -> Likely | None:
    """The best two of the posterior that are still registered; None where there is none."""
    ranked = sorted(
        ((ppm, plate) for plate, ppm in posterior.candidates if plate in bound and ppm > 0), reverse=True
    )
    if not ranked:
        return None
    best_ppm, best = ranked[0]
    runner_up_ppm, runner_up = ranked[1] if len(ranked) > 1 else (0, None)
    return Likely(bound[best], best_ppm, runner_up, runner_up_ppm)


def is_stranger(sighting: SightingFact, likely: Likely | None, rules: Rules) -> Reason | None:
    """Why the sighting belongs to nobody we know, or None where it may."""
    if sighting.text is None:
        return Reason("not_readable", "No plate could be read.")
    if likely is None:
        return Reason("not_registered", f"No registered plate fits {sighting.text}.")
    if likely.ppm < rules.review_floor_ppm:
        return Reason(
            "not_registered",
            f"{sighting.text} is not registered; the nearest registered plate is {likely.ppm} ppm likely.",
            (("likely_ppm", likely.ppm), ("review_floor_ppm", rules.review_floor_ppm)),
        )
    return None


def stranger(sighting: SightingFact, why: Reason) -> Decision:
    """The decision for a car of nobody we know.

    Who stands at a pump with a plate that cannot be read may be a customer: a person looks at the picture.
    """
    waits = sighting.text is None and sighting.pump is not None
    return Decision("review" if waits else "none", None, sighting.wrong_ppm, 0, 0, None, 0, (why,))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should be held, besides the rules.

    most_fen: what limits and tank leave; None where nothing is said.
    fee_fen: a fixed price that is charged at once, so that it must be there whole; None where there is none.
    """

    most_fen: int | None = None
    fee_fen: int | None = None


def hold_for(available_fen: int, wanted: Wanted, rules: Rules) -> int:
    """What an arrival reserves: the usual hold or less, the fixed price, or all there is."""
    return min(_wanted_fen(wanted, rules), available_fen)


def least_hold(wanted: Wanted, rules: Rules) -> int:
    """With less than this available nothing is held: the least hold of the rules, or all that is wanted."""
    wanted_fen = _wanted_fen(wanted, rules)
    return wanted_fen if wanted.fee_fen is not None else min(rules.minimum_hold_fen, wanted_fen)


def _wanted_fen(wanted: Wanted, rules: Rules) -> int:
    if wanted.fee_fen is not None:
        return wanted.fee_fen
    return rules.hold_fen if wanted.most_fen is None else min(rules.hold_fen, wanted.most_fen)


def decide(
    sighting: SightingFact,
    likely: Likely,
    amount_fen: int,
    rules: Rules,
    objections: Sequence[Reason] = (),
    proof: Proof | None = None,
) -> Decision:
    """`auto` where every test is passed, else `review` with one reason for each test that failed.

    amount_fen: what would be held (or is held already, where the sighting continues a stay).
    objections: what else speaks against it, whatever was read. proof: what another camera surely said of it.
    """
    said = together(sighting, likely, proof, rules)
    likely = said.likely
    loss_fen = share_up(amount_fen + rules.dispute_cost_fen, likely.wrong_ppm)
    numbers = the_sum(likely, amount_fen, loss_fen, rules)
    doubts = [*_doubts(sighting, said, loss_fen, rules, numbers), *objections]
    plate = likely.vehicle.plate
    read = f"Read {plate}" if sighting.text == plate else f"Another camera surely read {plate}, which fits"
    sure = Reason(
        "sure",
        f"{read}, registered, {sighting.colour}; the expected loss of {loss_fen} fen does not "
        f"exceed the {rules.asking_cost_fen} fen that a review and the driver's waiting cost.",
        numbers,
    )
    if not doubts and not said.is_plate:
        raise ValueError(f"{sighting.text} is not {plate}, yet nothing was doubted")
    return Decision(
        outcome="review" if doubts else "auto",
        vehicle=likely.vehicle,
        wrong_ppm=likely.wrong_ppm,
        amount_fen=amount_fen,
        expected_loss_fen=loss_fen,
        runner_up=likely.runner_up,
        runner_up_ppm=likely.runner_up_ppm,
        reasons=tuple(doubts) or (sure,),
    )


def together(sighting: SightingFact, likely: Likely, proof: Proof | None, rules: Rules) -> Said:
    """What a sighting says, and what it says with another camera's word.

    Two sure cameras that agree: whatever speaks against the vehicle, both would have to see wrongly. In a
    stay that another camera surely opened, an unsure look that agrees or leaves the vehicle open is as sure
    as that one was, less what this look says for another text. Else the proof proves nothing.
    """
    vehicle = likely.vehicle
    alone = Said(serial_wrong_ppm(sighting), likely, is_plate=sighting.text == vehicle.plate)
    if proof is None or sighting.colour != vehicle.colour:
        return alone
    if sighting.wrong_ppm <= rules.auto_ceiling_ppm:
        return replace(alone, likely=_scaled(likely, SAME_ERROR_PPM, MILLION)) if alone.is_plate else alone
    if alone.is_plate and 2 * sighting.wrong_ppm > MILLION:
        return alone
    found = _proved(likely, proof, *_against(sighting, vehicle.plate))
    if found is None or found.read_ppm > rules.auto_ceiling_ppm:
        return alone
    best = replace(
        found.likely,
        ppm=max(found.likely.ppm, likely.ppm),
        runner_up_ppm=min(found.likely.runner_up_ppm, likely.runner_up_ppm),
    )
    return replace(found, likely=best)


def serial_wrong_ppm(sighting: SightingFact) -> int:
    """The doubt of a reading but for what it leaves to other provinces; all of it without positions.

    Whose cars come to a station is known, and the posterior weighs a province by it: a car from far away with
    the very serial of a customer is rarer than any doubt between two provinces.
    """
    if sighting.text is None or not sighting.positions:
        return sighting.wrong_ppm
    right_ppm = MILLION - sighting.wrong_ppm
    listed = dict(sighting.positions[0])
    own_ppm, all_ppm = listed.get(sighting.text[0], 0), sum(listed.values())
    if right_ppm * all_ppm >= MILLION * own_ppm:
        return sighting.wrong_ppm
    return MILLION - share_down(right_ppm, all_ppm, own_ppm)


def _proved(likely: Likely, proof: Proof, part: int, whole: int) -> Said | None:
    """The word of a camera that opened the stay, its doubts times `part` for each `whole`, or None.

    A doubt of 0 ppm is one below a millionth, not none: however small, it must grow.
    """
    if proof.wrong_ppm is None or proof.runner_up_ppm is None:
        return None
    as_then = replace(likely, ppm=MILLION - max(1, proof.wrong_ppm), runner_up_ppm=proof.runner_up_ppm)
    read_ppm = times_up(max(1, proof.reading_wrong_ppm), part, whole)
    return Said(read_ppm, _scaled(as_then, part, whole), is_plate=True)


def _scaled(likely: Likely, part: int, whole: int) -> Likely:
    """All that speaks against the vehicle, times `part` for each `whole`; at most a certainty."""
    return replace(
        likely,
        ppm=MILLION - min(MILLION, times_up(likely.wrong_ppm, part, whole)),
        runner_up_ppm=min(MILLION, times_up(likely.runner_up_ppm, part, whole)),
    )


def _against(sighting: SightingFact, plate: str) -> tuple[int, int]:
    """What a look says for the text it reads, against this plate: (part, whole), the product over positions.

    A character that is not listed is as likely as one in a million; so is a text of another length.
    """
    if sighting.text == plate:
        return 1, 1
    if len(sighting.positions) != len(plate):
        return MILLION, 1
    listed = [dict(position) for position in sighting.positions]
    part = prod(max((1, *one.values())) for one in listed)
    whole = prod(max(1, one.get(own, 1)) for one, own in zip(listed, plate, strict=True))
    return part, whole


def the_sum(likely: Likely, amount_fen: int, loss_fen: int, rules: Rules) -> tuple[tuple[str, int], ...]:
    """The numbers of the decision by name, as they are kept with it."""
    return (
        ("wrong_ppm", likely.wrong_ppm),
        ("amount_fen", amount_fen),
        ("dispute_cost_fen", rules.dispute_cost_fen),
        ("expected_loss_fen", loss_fen),
        ("review_cost_fen", rules.review_cost_fen),
        ("delay_cost_fen", rules.delay_cost_fen),
    )


def _doubts(
    sighting: SightingFact,
    said: Said,
    loss_fen: int,
    rules: Rules,
    numbers: tuple[tuple[str, int], ...],
) -> list[Reason]:
    likely, read_ppm = said.likely, said.read_ppm
    vehicle = likely.vehicle
    doubts = []
    if not said.is_plate:
        doubts.append(
            Reason(
                "fuzzy_match",
                f"Read {sighting.text}; the registered {vehicle.plate} is near, but not the same.",
            )
        )
    if sighting.colour != vehicle.colour:
        doubts.append(
            Reason(
                "colour_differs",
                f"The plate looks {sighting.colour}; {vehicle.plate} is registered as {vehicle.colour}.",
            )
        )
    if likely.runner_up_ppm >= rules.runner_up_floor_ppm:
        doubts.append(
            Reason(
                "look_alike",
                f"The registered {likely.runner_up} is {likely.runner_up_ppm} ppm likely as well.",
                (("runner_up_ppm", likely.runner_up_ppm), ("runner_up_floor_ppm", rules.runner_up_floor_ppm)),
            )
        )
    if read_ppm > rules.auto_ceiling_ppm:
        doubts.append(
            Reason(
                "unsure_reading",
                f"The reading is wrong with {read_ppm} ppm; above {rules.auto_ceiling_ppm} ppm no "
                "money moves.",
                (("reading_wrong_ppm", read_ppm), ("auto_ceiling_ppm", rules.auto_ceiling_ppm)),
            )
        )
    elif loss_fen > rules.asking_cost_fen:
        doubts.append(
            Reason(
                "unsure_reading",
                f"Being wrong with {likely.wrong_ppm} ppm would cost {loss_fen} fen on average; a review and "
                f"the driver's waiting cost {rules.asking_cost_fen} fen.",
                numbers,
            )
        )
    return doubts


def without_funds(decision: Decision, available_fen: int, least_fen: int) -> Decision:
    """The same car, but no hold can be placed: a person is told, the pump stays shut."""
    poor = Reason(
        "insufficient_balance",
        f"{format_yuan(available_fen)} yuan is available; a hold needs {format_yuan(least_fen)} yuan.",
        (("available_fen", available_fen), ("least_fen", least_fen)),
    )
    return replace(decision, outcome="review", reasons=(poor,))
