"""The decoder against brute force over every path of a small network."""

import itertools
from collections import defaultdict

import numpy as np
import pytest

from vision.ctc import PlateDecoder
from vision.plates import ALPHABET, READ_KINDS, Kind

ALPHABET_SMALL = ["", "A", "B", "C", "1", "2", "·", "?"]
SHORT = Kind("short", ("blue",), ("AB", "12", "12"))
LONG = Kind("long", ("green",), ("AB", "12", "12C", "C"))
KINDS = (SHORT, LONG)


def random_output(rng: np.random.Generator, steps: int, classes: int, sharpness: float) -> np.ndarray:
    logits = rng.normal(0, sharpness, (steps, classes))
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def all_texts(output: np.ndarray, silent: str = "") -> dict[str, float]:
    """Probability of every text by walking every path."""
    found: dict[str, float] = defaultdict(float)
    for path in itertools.product(range(output.shape[1]), repeat=output.shape[0]):
        signs = ["" if ALPHABET_SMALL[k] in silent else ALPHABET_SMALL[k] for k in path]
        text = "".join(sign for sign, _ in itertools.groupby(signs))
        found[text] += float(np.prod([output[t, k] for t, k in enumerate(path)]))
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sharpness", [0.5, 2.0])
def test_masses_positions_and_best_text_equal_brute_force(seed: int, sharpness: float) -> None:
    rng = np.random.default_rng(seed)
    output = random_output(rng, 5, len(ALPHABET_SMALL), sharpness)
    texts = all_texts(output, silent="·")
    decoded = PlateDecoder(ALPHABET_SMALL, KINDS).decode(output)

    by_kind = {kind: {t: p for t, p in texts.items() if kind.allows(t)} for kind in KINDS}
    for kind in KINDS:
        assert decoded.kinds[kind.name] == pytest.approx(sum(by_kind[kind].values()), rel=1e-9)
    chosen = max(KINDS, key=lambda kind: sum(by_kind[kind].values()))
    assert decoded.kind is chosen
    best = max(by_kind[chosen], key=lambda t: by_kind[chosen][t])
    assert decoded.text == best
    assert decoded.probability == pytest.approx(by_kind[chosen][best], rel=1e-9)
    assert decoded.mass == pytest.approx(sum(sum(x.values()) for x in by_kind.values()), rel=1e-9)
    mass = sum(by_kind[chosen].values())
    for i, position in enumerate(decoded.positions):
        for character, probability in position:
            expected = sum(p for t, p in by_kind[chosen].items() if t[i] == character) / mass
            assert probability == pytest.approx(expected, rel=1e-9)
        assert sum(p for _, p in position) == pytest.approx(1.0)


def test_a_repeated_character_needs_a_blank_between() -> None:
    output = np.full((5, len(ALPHABET_SMALL)), 0.0)
    for t, character in enumerate(["A", "1", "1", "", "2"]):
        output[t, ALPHABET_SMALL.index(character)] = 1.0
    assert PlateDecoder(ALPHABET_SMALL, KINDS).decode(output).text == "A12"
    output[3] = output[2]
    assert PlateDecoder(ALPHABET_SMALL, KINDS).decode(output).text == "A12"
    output[4] = output[3]
    assert PlateDecoder(ALPHABET_SMALL, KINDS).decode(output).text is None


def test_a_weight_decides_between_two_kinds() -> None:
    output = random_output(np.random.default_rng(3), 6, len(ALPHABET_SMALL), 0.5)
    decoder = PlateDecoder(ALPHABET_SMALL, KINDS)
    assert decoder.decode(output, {"long": 1e-6}).kind is SHORT
    assert decoder.decode(output, {"short": 1e-6}).kind is LONG


def test_a_text_outside_the_grammar_has_no_plate() -> None:
    alphabet = ["", *ALPHABET]
    output = np.full((12, len(alphabet)), 1e-6)
    for t, character in enumerate("HELL" + "0WRLD" + "ABC"):
        output[t, alphabet.index(character)] = 1.0
    decoded = PlateDecoder(alphabet).decode(output / output.sum(axis=1, keepdims=True))
    assert decoded.mass < 0.01


def test_a_whole_plate_is_read_with_its_exact_probability() -> None:
    alphabet = ["", *ALPHABET]
    output = np.zeros((15, len(alphabet)))
    for t, character in enumerate("粤B12345"):
        output[2 * t, alphabet.index(character)] = 1.0
        output[2 * t + 1, 0] = 1.0
    output[14, 0] = 1.0
    output[4, alphabet.index("1")] = 0.7
    output[4, alphabet.index("7")] = 0.3
    decoded = PlateDecoder(alphabet).decode(output)
    assert decoded.text == "粤B12345"
    assert decoded.probability == pytest.approx(0.7)
    assert decoded.positions[2] == (("1", pytest.approx(0.7)), ("7", pytest.approx(0.3)))


def plain_mass(output: np.ndarray, alphabet: list[str], kind: Kind) -> float:
    """Probability of all texts of a kind, state by state as in the textbook."""
    sets = [[alphabet.index(c) for c in allowed] for allowed in kind.positions]
    # Paths that end in character k of position i, counted from 1; paths that end in the blank behind it.
    inside = np.zeros((len(sets) + 1, output.shape[1]))
    after = np.zeros(len(sets) + 1)
    after[0] = 1.0
    for row in output:
        was_inside, was_after = inside.copy(), after.copy()
        after = (was_after + was_inside.sum(axis=1)) * row[0]
        for i, allowed in enumerate(sets, start=1):
            enters = was_after[i - 1] + was_inside[i - 1].sum() - was_inside[i - 1, allowed]
            inside[i, allowed] = (was_inside[i, allowed] + enters) * row[allowed]
    return float(after[-1] + inside[-1].sum())


@pytest.mark.parametrize("sharpness", [0.5, 2.0, 4.0])
def test_what_is_left_out_changes_no_answer(sharpness: float) -> None:
    """Negligible kinds and characters are left out: masses and shares stay, to a millionth."""
    rng = np.random.default_rng(7)
    alphabet = ["", *ALPHABET]
    output = random_output(rng, 12, len(alphabet), sharpness)
    # O counts as 0 too, which the plain sums do not know.
    output[:, 0] += output[:, alphabet.index("O")]
    output[:, alphabet.index("O")] = 0.0
    text = "粤B7K3F5"
    for i, character in enumerate(text):
        output[1 + i + (i > 2)] *= 0.2
        output[1 + i + (i > 2), alphabet.index(character)] += 0.8
    decoded = PlateDecoder(alphabet).decode(output)
    masses = {kind.name: plain_mass(output, alphabet, kind) for kind in READ_KINDS}
    assert decoded.mass == pytest.approx(sum(masses.values()), abs=1e-6)
    assert all(decoded.kinds.get(name, 0.0) == pytest.approx(mass, abs=1e-6) for name, mass in masses.items())
    assert decoded.kind is not None
    for i, position in enumerate(decoded.positions):
        for character, share in position:
            fixed = (*decoded.kind.positions[:i], character, *decoded.kind.positions[i + 1 :])
            alone = plain_mass(output, alphabet, Kind("one", (), fixed))
            assert share * masses[decoded.kind.name] == pytest.approx(alone, abs=1e-6)


def spelt(text: str, alphabet: list[str]) -> np.ndarray:
    """An output that says each character once, with a blank between."""
    output = np.full((2 * len(text) + 1, len(alphabet)), 1e-6)
    output[::2, 0] = 1.0
    for i, character in enumerate(text):
        output[2 * i + 1, alphabet.index(character)] = 1.0
    return output / output.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("said", "meant"), [("晋088888", "晋O88888"), ("晋AO88O8", "晋A08808")])
def test_zero_and_o_are_told_apart_by_their_place(said: str, meant: str) -> None:
    alphabet = ["", *ALPHABET]
    assert PlateDecoder(alphabet).decode(spelt(said, alphabet)).text == meant
