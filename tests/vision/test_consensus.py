import math
from dataclasses import replace

import numpy as np
import pytest

from vision.consensus import MOST_CERTAIN_PPM, Look, agree, effective_looks, novelty, thumb_of
from vision.plate_art import draw_plate


def look(plate, weight: float = 1.0, new: float = 1.0) -> Look:
    return Look(plate, weight, new, np.zeros(4, np.float32))


def test_more_agreeing_looks_are_surer_but_never_beyond_the_cap(say) -> None:
    wrong = [agree([look(say("粤B12345", 0.9))] * n).wrong_ppm for n in range(1, 30)]
    assert wrong == sorted(wrong, reverse=True)
    assert wrong[0] > 20_000
    assert wrong[2] < wrong[0] / 8
    assert wrong[-1] >= MOST_CERTAIN_PPM


def test_looks_at_nearly_the_same_picture_tell_little_but_something(say) -> None:
    plate = say("粤B12345", 0.9)
    one = agree([look(plate)])
    parked = agree([look(plate)] + [look(plate, new=0.05)] * 10)
    moving = agree([look(plate)] * 11)
    assert moving.wrong_ppm < parked.wrong_ppm < one.wrong_ppm
    assert (one.looks, parked.looks, moving.looks) == (1, 1, 11)


def test_the_text_most_looks_agree_on_wins_and_the_other_is_listed(say) -> None:
    looks = [look(say("粤B12345", 0.95))] * 4 + [look(say("粤B12845", 0.95))] * 2
    said = agree(looks)
    assert said.text == "粤B12345"
    assert said.positions[4][0][0] == "3"
    assert agree([look(say("粤B12345", 0.95))] * 6).wrong_ppm < said.wrong_ppm


def test_a_sharp_look_outvotes_two_poor_ones(say) -> None:
    looks = [
        look(say("粤B12345", 0.9), 1.0),
        look(say("粤B12845", 0.9), 0.2),
        look(say("粤B12845", 0.9), 0.2),
    ]
    assert agree(looks).text == "粤B12345"


def test_doubt_in_one_character_stays_with_that_character(torn) -> None:
    said = agree([look(torn("粤B12345", "粤B12845", 0.6))] * 3)
    doubts = [1 - position[0][1] for position in said.positions]
    assert max(range(7), key=lambda i: doubts[i]) == 4
    assert doubts[4] > 10 * max(d for i, d in enumerate(doubts) if i != 4)


def test_readings_of_another_length_make_it_less_sure(say) -> None:
    same = agree([look(say("粤B12345"))] * 5)
    mixed = agree([look(say("粤B12345"))] * 4 + [look(say("粤BD12345", colour="green"))])
    assert mixed.text == "粤B12345"
    assert mixed.colour == "blue"
    assert mixed.wrong_ppm > same.wrong_ppm


def test_the_positions_multiply_to_the_chance_of_being_right(say, torn) -> None:
    for said in (agree([look(torn("粤B12345", "粤B12845", 0.7))] * 3), agree([look(say("粤B12345"))] * 20)):
        right = math.prod(position[0][1] for position in said.positions)
        assert 1 - right == pytest.approx(said.wrong_ppm / 1e6, abs=2e-6)


def test_unreadable_looks_give_no_text_and_do_not_weaken_others(say) -> None:
    nothing = agree([look(say(None))] * 4)
    assert (nothing.text, nothing.positions, nothing.wrong_ppm) == (None, (), 1_000_000)
    assert agree([look(say("粤B12345")), look(say(None))]).text == "粤B12345"


def test_the_colour_is_voted_among_those_the_text_may_have(say) -> None:
    looks = [look(say("沪AF02976", colour="green"))] * 2 + [look(say("沪AF02976", colour="blue"))] * 3
    assert agree(looks).colour == "green"


def test_looks_with_shared_errors_are_worth_a_few() -> None:
    assert effective_looks(1) == 1
    assert effective_looks(3) < 3
    assert effective_looks(1000) < 2.1


def test_the_same_picture_again_is_no_new_look_and_another_plate_is(say) -> None:
    rng = np.random.default_rng(0)
    plate = draw_plate("粤B12345", "blue")
    noisy = np.clip(plate + rng.normal(0, 6, plate.shape), 0, 255).astype(np.uint8)
    first = Look(say("粤B12345"), 1.0, 1.0, thumb_of(plate))
    assert novelty(thumb_of(plate), []) == 1.0
    assert novelty(thumb_of(noisy), [first]) == pytest.approx(0.05)
    assert novelty(thumb_of(draw_plate("京A6F888", "blue")), [first]) > 0.9


def test_a_text_that_is_likelier_wrong_four_times_in_five_is_no_reading(say) -> None:
    guess = agree([look(say("粤B12345", 0.05))] * 4)
    assert (guess.text, guess.positions, guess.wrong_ppm) == (None, (), 1_000_000)
    assert agree([look(say("粤B12345", 0.6))]).text == "粤B12345"


def second(plate, said) -> Look:
    return Look(plate, 1.0, 1.0, np.zeros(4, np.float32), second=said)


def test_many_looks_of_the_first_do_not_outvote_the_few_of_the_second(say) -> None:
    first = say("粤B12345", 0.98)
    doubted = agree([look(first)] * 30 + [second(first, say("粤B12845", 0.98))] * 3)
    assert doubted.wrong_ppm > 4000
    agreed = agree([look(first)] * 30 + [second(first, say("粤B12345", 0.98))] * 3)
    assert agreed.text == "粤B12345"
    assert agreed.wrong_ppm < 1000


def test_a_second_that_cannot_read_it_makes_it_less_sure(say) -> None:
    first = say("粤B12345", 0.98)
    assert agree([second(first, say(None))] * 3).wrong_ppm > agree([look(first)] * 3).wrong_ppm


def test_looks_that_each_doubt_that_it_is_a_plate_of_ours_do_not_add_up_to_one(say) -> None:
    """A stranger's plate: the characters agree from look to look, and so does the doubt."""
    clear = say("粤B12345", 0.9)
    foreign = replace(clear, confidence=0.08)
    assert agree([look(foreign)] * 8).text is None
    assert agree([look(replace(clear, confidence=0.85))] * 8).wrong_ppm < 10_000


def test_looks_that_hardly_tell_a_colour_do_not_outvote_few_that_do(say) -> None:
    plate = "皖A5F353"
    sure = [look(replace(say(plate), colour="blue", colour_probability=0.996))] * 4
    dim = [look(replace(say(plate), colour="yellow", colour_probability=0.6))] * 9
    assert agree([*sure, *dim]).colour == "blue"
    assert agree([*sure[:1], *dim, *dim]).colour == "yellow"


def test_how_often_a_colour_is_met_counts_once_and_not_with_every_look(say) -> None:
    plate = "粤B12345"
    # Each look alone says blue, only because blue is met that much more often than yellow.
    doubtful = look(replace(say(plate), colour="blue", colour_probability=0.52))
    assert agree([doubtful]).colour == "blue"
    assert agree([doubtful] * 12).colour == "yellow"


def test_a_look_that_is_sure_of_a_rare_colour_does_not_outvote_many_that_are_sure_of_blue(say) -> None:
    plate = "粤B12345"
    blue = [look(replace(say(plate), colour="blue", colour_probability=0.996))] * 2
    black = look(replace(say(plate), colour="black", colour_probability=0.996))
    assert agree([*blue, black]).colour == "blue"
    assert agree([black]).colour == "black"


def test_all_looks_vote_on_the_colour_and_not_those_of_the_surer_reader_alone(say) -> None:
    plate = "粤B12345"
    blue = replace(say(plate), colour="blue", colour_probability=0.996)
    dim = replace(say(plate), colour="black", colour_probability=0.7)
    second = replace(dim, confidence=0.99)
    looks = [look(blue)] * 3 + [replace(look(dim), second=second)]
    assert agree(looks).colour == "blue"
