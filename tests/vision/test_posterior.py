import pytest

from vision.posterior import posterior, text_probability

CLEAR = [[(c, 999_000), ("X", 500)] for c in "粤B12345"]
TORN = [*CLEAR[:4], [("3", 600_000), ("8", 399_000)], *CLEAR[5:]]


def test_all_shares_are_whole_and_sum_to_a_million() -> None:
    ranked, none = posterior(TORN, ["粤B12845", "粤B12345", "琼A00000"], 300_000)
    assert [plate for plate, _ in ranked] == ["粤B12345", "粤B12845", "琼A00000"]
    assert sum(share for _, share in ranked) + none == 1_000_000
    assert all(isinstance(share, int) for _, share in ranked)


def test_with_an_even_prior_the_reading_is_taken_at_its_word() -> None:
    [(_, share)], none = posterior(CLEAR, ["粤B12345"], 500_000)
    assert share == pytest.approx(0.999**7 * 1e6, abs=2)
    assert none == 1_000_000 - share


def test_a_smaller_prior_and_a_worse_reading_make_a_stranger_likelier() -> None:
    shares = [posterior(TORN, ["粤B12345"], prior)[0][0][1] for prior in (900_000, 500_000, 100_000, 0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == 0
    assert posterior(CLEAR, ["粤B12345"], 300_000)[0][0][1] > posterior(TORN, ["粤B12345"], 300_000)[0][0][1]


def test_a_plate_one_character_away_from_a_clear_reading_stays_unlikely() -> None:
    ranked, none = posterior(CLEAR, ["粤B12846"], 900_000)
    assert ranked[0][1] < 100
    assert none > 999_900


def test_two_registered_look_alikes_share_what_the_reading_leaves_open() -> None:
    ranked, _ = posterior(TORN, ["粤B12345", "粤B12845"], 500_000)
    assert ranked[0][1] < 620_000
    assert ranked[1][1] > 350_000


def test_no_candidate_no_reading_and_no_certainty_all_mean_nobody() -> None:
    assert posterior(CLEAR, [], 500_000) == ([], 1_000_000)
    assert posterior([], ["粤B12345"], 500_000) == ([("粤B12345", 0)], 1_000_000)
    certain = [[(c, 1_000_000)] for c in "粤B12345"]
    assert posterior(certain, ["粤B12345"], 0) == ([("粤B12345", 0)], 1_000_000)


def test_another_length_is_another_plate() -> None:
    assert text_probability(CLEAR, "粤BD12345") == 0.0


@pytest.mark.parametrize("prior", [-1, 1_000_001])
def test_a_prior_that_is_no_share_is_refused(prior: int) -> None:
    with pytest.raises(ValueError, match="prior_customer_ppm"):
        posterior(CLEAR, ["粤B12345"], prior)


def test_the_same_candidate_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        posterior(CLEAR, ["粤B12345", "粤B12345"], 500_000)
