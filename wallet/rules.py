"""The numbers a station owner may choose."""

from __future__ import annotations

from dataclasses import dataclass, fields

from wallet.errors import InvalidFact


@dataclass(frozen=True, slots=True)
class Rules:
    """Amounts in fen, times in seconds, chances in parts per million.

    hold_fen: what is reserved on arrival, where the wallet has as much.
    minimum_hold_fen: with less available than this, no hold is placed and no pump opened.
    dispute_cost_fen, review_cost_fen: what a wrong debit costs above its amount, and a look by a person.
    delay_cost_fen: what it costs that a driver waits for that look.
    auto_ceiling_ppm: a reading more likely wrong than this moves no money alone, whatever the sum says.
    runner_up_floor_ppm: a second registered plate as likely as this needs a person.
    review_floor_ppm: a registered plate less likely than this is not worth a look: the car is a stranger.
    twin_floor_ppm: registered plates whose differing characters are taken for each other as often as this, in
    single looks, are twins. twin_proof_s: how old a look of another camera may be to tell a twin.
    history_s: how far back visits count for how often a car is expected.
    reentry_s: a car back within this time is still on the same stay.
    captured_stay_s: how long a car that has paid and was not seen leaving is still on the same stay.
    leave_grace_s: how long a sale may come after its car has left.
    sale_grace_s: how long a sale waits for its sighting before a person looks.
    longest_stay_s: after this a hold is released, whether the car was seen leaving or not.
    two_person_fen: above this two different people must agree about a review item.
    review_due_sighting_s, review_due_sale_s, review_due_s: how long a review item may wait: a car that stands
    at a pump, a sale that nobody has paid, anything else.
    confirmations_needed: so many confirmed readings make a corrected one trusted again.
    known_case_s: how long a known case stays in the queue of those who have not answered it.
    late_sale_s: how long after its hold expired a visit may still be paid by a sale that began before.
    cool_off_s: how long a plate is bound before money moves by itself; 0: at once.
    entry_fee_fen: charged on arrival at every station that has no tariff of its own; 0: nothing.
    usual_price_fen: a litre, where a station has told no price; with it a tank becomes money.
    tank_margin_ppm: a full tank may be this much of what was stated.
    fastest_m_s: no car gets faster from one station to another, measured straight.
    clock_slack_s: clocks of two stations may differ by this much.
    travel_window_s: how far back another station is looked at; also how long a wrong colour is remembered.
    """

    hold_fen: int = 40_000
    minimum_hold_fen: int = 5_000
    dispute_cost_fen: int = 5_000
    review_cost_fen: int = 200
    delay_cost_fen: int = 100
    auto_ceiling_ppm: int = 10_000
    runner_up_floor_ppm: int = 1_000
    review_floor_ppm: int = 20_000
    twin_floor_ppm: int = 50_000
    twin_proof_s: int = 600
    history_s: int = 7_776_000
    reentry_s: int = 60
    captured_stay_s: int = 600
    leave_grace_s: int = 300
    sale_grace_s: int = 300
    longest_stay_s: int = 7_200
    two_person_fen: int = 50_000
    review_due_sighting_s: int = 120
    review_due_sale_s: int = 1_800
    review_due_s: int = 14_400
    confirmations_needed: int = 3
    known_case_s: int = 86_400
    late_sale_s: int = 86_400
    cool_off_s: int = 0
    entry_fee_fen: int = 0
    usual_price_fen: int = 900
    tank_margin_ppm: int = 1_200_000
    fastest_m_s: int = 50
    clock_slack_s: int = 60
    travel_window_s: int = 21_600
    smallest_recharge_fen: int = 1
    largest_recharge_fen: int = 500_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise InvalidFact(field.name, repr(value), "must be a whole number, zero or more")
        if not 0 < self.minimum_hold_fen <= self.hold_fen:
            raise InvalidFact("minimum_hold_fen", str(self.minimum_hold_fen), "must be from 1 to hold_fen")
        if not 0 < self.smallest_recharge_fen <= self.largest_recharge_fen:
            raise InvalidFact(
                "smallest_recharge_fen",
                str(self.smallest_recharge_fen),
                "must be from 1 to largest_recharge_fen",
            )

    @property
    def asking_cost_fen(self) -> int:
        """What it costs to ask a person: the look itself, and the driver who waits for it."""
        return self.review_cost_fen + self.delay_cost_fen
