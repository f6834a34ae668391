"""Random plates for training: a text the grammar allows, drawn, then worn, lit and tinted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from vision.plate_art import draw_plate, load_atlas
from vision.plates import DIGITS, LETTERS, PROVINCES

Image = NDArray[np.uint8]

# How often each kind is made. Blue is what the real scenes have in plenty. The first word is the colour.
KINDS = {
    "blue": 0.37,
    "green": 0.2,
    "green large": 0.07,
    "green aviation": 0.03,
    "yellow": 0.09,
    "yellow school": 0.03,
    "yellow double": 0.06,
    "yellow trailer double": 0.04,
    "white police": 0.04,
    "white military": 0.02,
    "white emergency": 0.01,
    "black": 0.01,
    "black Hong Kong": 0.015,
    "black consulate": 0.01,
    "black embassy": 0.005,
}
# Drawn when asked for: plates that the grammar does not hold, so that no reader shall read them.
OTHER_KINDS = ("green farm double",)
OFFICE_SHARE = 0.01
# Behind the energy letter of a small car: 8 of the 52 different plates in the labelled sets have a letter.
ENERGY_LETTER_SHARE = 0.15
RUN_SHARE = 0.1


@dataclass(frozen=True)
class RandomPlate:
    """A drawn plate, (H, W, 3) uint8 BGR, and what stands on it."""

    picture: Image
    text: str
    colour: str
    rows: int


def pick(rng: Generator, choices: Sequence[str]) -> str:
    """One of the choices, or of the characters of a text."""
    return choices[rng.integers(len(choices))]


def with_runs(rng: Generator, text: str) -> str:
    """The text, now and then with a character the same as the one before it: drivers ask for 888.

    A reader without pauses between characters swallows one of two alike.
    """
    for place in range(1, len(text)):
        if rng.random() < RUN_SHARE:
            text = text[:place] + text[place - 1] + text[place + 1 :]
    return text


def random_digits(rng: Generator, length: int) -> str:
    """Digits only."""
    return with_runs(rng, "".join(pick(rng, DIGITS) for _ in range(length)))


def random_tail(rng: Generator, length: int) -> str:
    """Digits with, often, one or two letters among them."""
    tail = [pick(rng, DIGITS) for _ in range(length)]
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.25, 0.45, 0.25, 0.05]))):
        tail[rng.integers(length)] = pick(rng, LETTERS)
    return with_runs(rng, "".join(tail))


def energy_small(rng: Generator) -> str:
    """The six after province and letter: the energy letter, then digits, now and then a second letter."""
    second = pick(rng, LETTERS if rng.random() < ENERGY_LETTER_SHARE else DIGITS)
    return pick(rng, "DDDDFFFABCEGHJK") + second + random_digits(rng, 4)


# What follows the province and the letter, where those two come first.
TAILS: dict[str, Callable[[Generator], str]] = {
    "green": energy_small,
    "green large": lambda rng: random_digits(rng, 5) + pick(rng, "DF"),
    "yellow school": lambda rng: random_tail(rng, 4) + "学",
    "yellow trailer double": lambda rng: random_tail(rng, 4) + "挂",
    "white police": lambda rng: random_tail(rng, 4) + "警",
    "black consulate": lambda rng: random_digits(rng, 4) + "领",
}


def random_text(rng: Generator, kind: str) -> str:
    """A text that a plate of this kind may carry; every province is equally likely."""
    province, letter = pick(rng, PROVINCES), pick(rng, LETTERS)
    if kind in ("blue", "white police") and rng.random() < OFFICE_SHARE:
        letter = "O"
    match kind:
        case "green aviation":
            return "民航" + letter + random_digits(rng, 4)
        case "green farm double":
            return province + random_digits(rng, 7)
        case "white military":
            return pick(rng, "ABCDEGHJKLNSVZ") + letter + random_digits(rng, 5)
        case "white emergency":
            return province + pick(rng, "XS") + random_digits(rng, 4) + "应急"
        case "black Hong Kong":
            return "粤Z" + random_tail(rng, 4) + pick(rng, "港澳")
        case "black embassy":
            return "使" + random_digits(rng, 6)
    if kind in TAILS:
        return province + letter + TAILS[kind](rng)
    return province + letter + random_tail(rng, 5)


def random_plate(rng: Generator, kind: str | None = None) -> RandomPlate:
    """A plate of a random kind (or of `kind`), worn a little."""
    kind = kind or str(rng.choice(list(KINDS), p=list(KINDS.values())))
    text = random_text(rng, kind)
    colour, rows = kind.split()[0], 2 if kind.endswith("double") else 1
    picture = draw_plate(text, colour, rows, face=int(rng.integers(len(load_atlas().faces))))
    return RandomPlate(wear(picture, rng), text, colour, rows)


def wear(picture: Image, rng: Generator) -> Image:
    """The plate with thinner or thicker strokes, another tint, dirt and uneven light. (H, W, 3) uint8 BGR."""
    worn = picture
    if rng.random() < 0.5:
        # The drawn strokes are somewhat heavier than those of the standard: thin them more often.
        is_light_ink = picture.mean() < 128
        change = cv2.erode if (rng.random() < 0.75) == is_light_ink else cv2.dilate
        size = int(rng.integers(2, 4))
        worn = np.asarray(change(worn, np.ones((size, size), np.uint8)), np.uint8)
    hsv = cv2.cvtColor(worn, cv2.COLOR_BGR2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.normal(0, 5)) % 180
    hsv[..., 1] *= rng.uniform(0.45, 1.15)
    hsv[..., 2] *= rng.uniform(0.6, 1.1)
    hsv[..., 1:] = np.clip(hsv[..., 1:], 0, 255)
    tinted = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2BGR).astype(np.float32)
    h, w = tinted.shape[:2]
    if rng.random() < 0.4:
        slope = rng.uniform(-0.35, 0.35, 2)
        x, y = np.linspace(-1, 1, w), np.linspace(-1, 1, h)[:, None]
        tinted *= (1 + slope[0] * x + slope[1] * y)[..., None]
    if rng.random() < 0.35:
        blotches = cv2.resize(rng.random((5, 14)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
        dirt = np.clip(blotches - 0.5, 0, 1)[..., None] * rng.uniform(0.2, 0.8)
        tinted = tinted * (1 - dirt) + np.array(rng.uniform(60, 170, 3)) * dirt
    return np.clip(tinted, 0, 255).astype(np.uint8)
