"""Planted mutations of what an owner allows, of stays and their ends, and of what objects to a debit."""

from __future__ import annotations

from tests.mutations.planted_case import Planted, wallet_tests

LIMITS = (
    Planted(
        "what a plate spent today is forgotten",
        "wallet/limits.py",
        "row.limits.amount_per_day_fen - used[row.id].amount_fen",
        "row.limits.amount_per_day_fen",
        wallet_tests("limits"),
    ),
    Planted(
        "the fills of a day are not counted",
        "wallet/limits.py",
        "if limits.fills_per_day is not None and used.fills >= limits.fills_per_day:",
        "if False:",
        wallet_tests("limits"),
    ),
    Planted(
        "a plate fills at every station",
        "wallet/limits.py",
        "if limits.stations is not None and station not in limits.stations:",
        "if False:",
        wallet_tests("limits"),
    ),
    Planted(
        "a plate fills at every hour",
        "wallet/limits.py",
        "if not is_within(minute, limits.opens_minute, limits.closes_minute):",
        "if False:",
        wallet_tests("limits"),
    ),
    Planted(
        "a grade that its owner does not allow is paid",
        "wallet/limits.py",
        "if grades is not None and sale.grade not in grades:",
        "if False:",
        wallet_tests("limits"),
    ),
    Planted(
        "litres above what the owner allows are paid",
        "wallet/limits.py",
        "if most_ml is not None and litres_ml > most_ml:",
        "if False:",
        wallet_tests("limits"),
    ),
    Planted(
        "more than the published price is paid",
        "wallet/limits.py",
        "if price_fen is not None and unit_fen > price_fen:",
        "if False:",
        wallet_tests("limits"),
    ),
    Planted(
        "petrol goes into a diesel",
        "wallet/limits.py",
        "if limits.fuel is not None and fuel is not None and fuel != limits.fuel:",
        "if False:",
        wallet_tests("limits", "stops"),
    ),
    Planted(
        "any number of litres goes into a tank",
        "wallet/limits.py",
        "if limits.tank_ml is not None and sale.litres_ml > share_up(limits.tank_ml, rules.tank_margin_ppm):",
        "if False:",
        wallet_tests("limits", "stops"),
    ),
    Planted(
        "a fixed price above the limits is taken",
        "wallet/terms.py",
        "if terms.most_fen is None or terms.most_fen >= tariff.amount_fen or terms.objections:",
        "if True:",
        wallet_tests("limits"),
    ),
    Planted(
        "a plate that was bound only now pays",
        "wallet/terms.py",
        "if cool_off_s == 0 or min(case.sighting.first_seen_at, case.now) >= until:",
        "if True:",
        wallet_tests("limits"),
    ),
    Planted(
        "a hold is raised above what the owner allows",
        "wallet/terms.py",
        "if most_fen is None or most_fen >= sale.amount_fen:",
        "if True:",
        wallet_tests("limits"),
    ),
    Planted(
        "what a person charges is not held against the day",
        "wallet/terms.py",
        "_used(connection, found, sale.started_at, without)",
        "{row.id: Used(0, 0) for row in found}",
        wallet_tests("limits", "reviewing"),
    ),
    Planted(
        "a stay that was voided goes on",
        "wallet/stays.py",
        'if visit.state == "voided":',
        "if False:",
        wallet_tests("stays"),
    ),
    Planted(
        "a car that left is never on a new stay",
        "wallet/stays.py",
        "return sighting.first_seen_at <= visit.left_at + reentry",
        "return True",
        wallet_tests("stays"),
    ),
    Planted(
        "a visit that has ended pays again",
        "wallet/stays.py",
        "if not is_payable(visit) or visit.opened_at > ended_at:",
        "if visit.opened_at > ended_at:",
        wallet_tests("stays"),
    ),
    Planted(
        "a car that left before the sale began pays for it",
        "wallet/stays.py",
        "return visit.left_at is None or visit.left_at >= started_at",
        "return True",
        wallet_tests("stays"),
    ),
    Planted(
        "of two cars that cannot be told apart one pays",
        "wallet/stays.py",
        "if len(fitting) == 1:",
        "if fitting:",
        wallet_tests("stays"),
    ),
    Planted(
        "a sale that began after the hold expired is paid by it",
        "wallet/stays.py",
        "if visit.settled_at is not None and not visit.opened_at <= started_at <= visit.settled_at:",
        "if False:",
        wallet_tests("stays", "limits"),
    ),
    Planted(
        "a camera that the car has left behind ends its stay",
        "wallet/departures.py",
        "if not is_new or visit.last_sighting_id != sighting_id:",
        "if not is_new:",
        wallet_tests("arrivals"),
    ),
    Planted(
        "a car leaves twice",
        "wallet/departures.py",
        "if not is_new and forecourt.departure_of(connection, sighting_id) != left_at:",
        "if False:",
        wallet_tests("arrivals"),
    ),
    Planted(
        "a hold is released that somebody took meanwhile",
        "wallet/departures.py",
        'if visit is None or visit.state != "open":',
        "if visit is None:",
        wallet_tests("arrivals", "concurrency"),
    ),
    *(
        Planted(
            f"nobody listens to {name}",
            "wallet/objections.py",
            f"    {name},\n",
            "",
            wallet_tests(*tests),
        )
        for name, tests in (
            ("corrections.objections", ("corrections", "reviewing")),
            ("twins.objections", ("twins",)),
            ("second_looks.objections", ("second_looks",)),
            ("terms.too_new", ("limits",)),
            ("stops.objections", ("stops",)),
            ("clones.objections", ("stops",)),
        )
    ),
)
