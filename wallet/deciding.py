"""What a decision was made of, noted while it is made, so that it can be made again; and who decided.

A decider is the code and the rules that decide, under one hash. Its second set of rules, the shadow, decides
beside it on the same notes and moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wallet.decide import Proof, Wanted
from wallet.facts import Reason, Vehicle, Visit
from wallet.rules import Rules


@dataclass(frozen=True, slots=True)
class StayNote:
    """The stay that a sighting continued."""

    id: str
    state: str
    hold_fen: int


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the posterior was made of. traffic_id: of a snapshot that was registered; plates once each.

    candidates: plate, colour, visits here and elsewhere of each registered plate near the reading.
    """

    traffic_id: str
    candidates: tuple[tuple[str, str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What decided besides the sighting and the posterior.

    bound: the bindings of the candidates at that time. available_fen: of the likely vehicle's wallet when the
    loss was weighed; for_hold_fen: when the hold was placed, after holds of overstays were released. Both
    None where no wallet was asked. objections: what else spoke against it. proof: what another camera had
    surely said of the car, if any. wanted: what limits and tariff made of the hold. weighed: None where the
    posterior came from somebody who did not say what it is made of.
    """

    bound: tuple[Vehicle, ...] = ()
    available_fen: int | None = None
    for_hold_fen: int | None = None
    stay: StayNote | None = None
    objections: tuple[Reason, ...] = ()
    proof: Proof | None = None
    wanted: Wanted = field(default_factory=Wanted)
    weighed: Weighed | None = None


class Notes:
    """Inputs while they are being noted; belongs to one decision."""

    def __init__(self) -> None:
        self._seen: dict[str, Any] = {}

    @property
    def inputs(self) -> Inputs:
        """What was noted so far."""
        return Inputs(**self._seen)

    def see_bound(self, bound: Mapping[str, Vehicle]) -> None:
        """The candidates that are bound now."""
        self._seen["bound"] = tuple(bound[plate] for plate in sorted(bound))

    def see_case(
        self,
        available_fen: int,
        stay: Visit | None,
        objections: Sequence[Reason],
        wanted: Wanted,
        proof: Proof | None = None,
    ) -> None:
        """What was weighed."""
        self._seen.update(
            available_fen=available_fen,
            for_hold_fen=available_fen,
            stay=None if stay is None else StayNote(stay.id, stay.state, stay.hold_fen),
            objections=tuple(objections),
            proof=proof,
            wanted=wanted,
        )

    def see_hold(self, available_fen: int) -> None:
        """What was available when the hold was placed."""
        self._seen["for_hold_fen"] = available_fen


@dataclass(frozen=True, slots=True)
class DeciderFact:
    """Code and rules that decide together. configuration: what else decides (priors, calibrations)."""

    id: str
    code_sha256: str
    rules: Mapping[str, int]
    configuration: Mapping[str, object]
    first_used_at: datetime


@dataclass(frozen=True, slots=True)
class Deciding:
    """Who decides now: ids of registered deciders, None where nobody said. shadow: rules tried beside.

    weighed: what the posterior of the sighting at hand was made of.
    """

    decider_id: str | None = None
    shadow_id: str | None = None
    shadow: Rules | None = None
    weighed: Weighed | None = None


NOBODY = Deciding()
