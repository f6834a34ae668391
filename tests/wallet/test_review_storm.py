"""Many reviewers at once, while pumps sell and clicks repeat: no money is made, lost or moved twice."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

from wallet.command_facts import Rejected, Reviewed
from wallet.review_facts import Given
from wallet.rules import Rules
from wallet.service import open_wallet

CARS, PUMPS, PEOPLE = 12, 3, 5


def _day(forecourt, chance):
    """Doubtful cars, sales with and without a car, sure cars that pay; gives the visits that have paid."""
    plates = [f"粤B{number:05d}" for number in range(CARS)]
    for plate in plates:
        forecourt.customer(plate, chance.choice([0, 6_000, 30_000, 100_000]))
    paid = []
    for number in range(20):
        plate, pump, second = chance.choice(plates), str(chance.randrange(PUMPS)), number * 400
        match chance.randrange(4):
            case 0:
                forecourt.arrive(None, pump, second)
            case 1:
                forecourt.arrive(plate, pump, second, wrong_ppm=60_000, candidates=((plate, 900_000),))
            case _:
                arrival = forecourt.arrive(plate, pump, second)
                paid += [arrival.visit.id] if arrival.visit else []
        forecourt.sell(chance.choice([3_000, 9_000, 45_000]), pump, second + 30)
        forecourt.wallet.sweep(forecourt.at(second + 390))
    forecourt.wallet.sweep(forecourt.at(20_000))
    return plates, paid


def _work(forecourt, seed, plates, paid):
    """One person answers everything there is, in an order of their own; each click comes twice."""
    chance, wallet, who = random.Random(seed), forecourt.wallet, f"person-{seed}"
    answers = []
    items = [row.review.id for row in wallet.reviewing.queue(who, forecourt.at(20_000), limit=500)]
    chance.shuffle(items)
    for number, item in enumerate(items):
        plate = chance.choice([*plates, None, "京A99999"])
        given = chance.choice(
            [Given("confirm"), Given("confirm"), Given("correct", plate), Given("reject"), Given("reverse")]
        )
        clicks = [
            wallet.reviewing.answer(item, given, key=f"{who}-{number}", actor=who, now=forecourt.at(20_001))
            for _ in range(2)
        ]
        assert clicks[0] == clicks[1]
        answers.append(clicks[0])
    for number, visit_id in enumerate(chance.sample(paid, len(paid))):
        key = f"{who}-back-{number}"
        given = Given("reverse", is_misread=chance.random() < 0.5)
        answers.append(
            wallet.reviewing.reverse_visit(visit_id, given, key=key, actor=who, now=forecourt.at(20_002))
        )
    return answers


def test_no_money_is_made_or_lost_whatever_many_people_answer_at_once(database_url, engine, forecourt):
    forecourt.wallet = wallet = open_wallet(database_url, Rules(two_person_fen=40_000), engine=engine)
    chance = random.Random(1)
    plates, paid = _day(forecourt, chance)
    before = {row.review.id for row in wallet.reviewing.queue("x", forecourt.at(20_000), limit=500)}
    assert len(before) > 10
    with ThreadPoolExecutor(PEOPLE) as pool:
        people = range(100, 100 + PEOPLE)
        answers = [
            one
            for given in pool.map(lambda person: _work(forecourt, person, plates, paid), people)
            for one in given
        ]
    closed = [one.review_id for one in answers if isinstance(one, Reviewed) and one.state == "closed"]
    assert len(closed) == len(set(closed))
    assert {one.code for one in answers if isinstance(one, Rejected)} >= {"already_decided"}
    ended = {one.ended_as for one in answers if isinstance(one, Reviewed)}
    assert {"rejected", "reversed"} <= ended
    # The fixture proves the whole ledger when this is over.
