"""The grammar of Chinese number plates (GA 36): which characters each kind of plate has at each position.

No two kinds share a text, so the probability of each can be added up apart. What a plate looks like is
`plate_art`'s business; this module knows only characters and colours.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from vision.types import Colour

PROVINCES: Final = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
# No serial has I or O: they would be taken for 1 and 0.
LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"
# After the province O cannot be taken for a digit, and provincial offices have been given it.
OFFICES: Final = LETTERS + "O"
DIGITS: Final = "0123456789"
MARKS: Final = "学警挂港澳使领民航应急"
ALPHABET: Final = DIGITS + OFFICES + PROVINCES + MARKS

SERIAL: Final = DIGITS + LETTERS
# The energy letters: D and F, and those that cities with full series got since.
ENERGY: Final = "ABCDEFGHJK"

SEPARATORS: Final = re.compile(r"[\s·•・‧.．\-_—]+")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of plate.

    positions: for each character of the text, all characters that may stand there.
    colours: the grounds such a plate is painted on.
    rows: 2 where the kind exists in two rows only, else 1.
    """

    name: str
    colours: tuple[Colour, ...]
    positions: tuple[str, ...]
    rows: int = 1

    def allows(self, text: str) -> bool:
        """Whether `text` is a plate of this kind."""
        return len(text) == len(self.positions) and all(
            character in allowed for character, allowed in zip(text, self.positions, strict=True)
        )


CIVIL: Final = Kind("civil", ("blue", "yellow", "black"), (PROVINCES, OFFICES, *[SERIAL] * 5))
ENERGY_SMALL: Final = Kind("energy small", ("green",), (PROVINCES, LETTERS, ENERGY, SERIAL, *[DIGITS] * 4))
ENERGY_LARGE: Final = Kind("energy large", ("green",), (PROVINCES, LETTERS, *[DIGITS] * 5, "DF"))
SCHOOL: Final = Kind("driving school", ("yellow",), (PROVINCES, LETTERS, *[SERIAL] * 4, "学"))
TRAILER: Final = Kind("trailer", ("yellow",), (PROVINCES, LETTERS, *[SERIAL] * 4, "挂"), rows=2)
POLICE: Final = Kind("police", ("white",), (PROVINCES, OFFICES, *[SERIAL] * 4, "警"))
EMERGENCY: Final = Kind("emergency", ("white",), (PROVINCES, "XS", *[DIGITS] * 4, "应", "急"))
MILITARY: Final = Kind("military", ("white",), ("ABCDEGHJKLNSVZ", LETTERS, *[DIGITS] * 5))
HONG_KONG_MACAO: Final = Kind("Hong Kong or Macao", ("black",), ("粤", "Z", *[SERIAL] * 4, "港澳"))
CONSULATE: Final = Kind("consulate", ("black",), (PROVINCES, LETTERS, *[DIGITS] * 4, "领"))
EMBASSY: Final = Kind("embassy", ("black",), ("使", *[DIGITS] * 6))
AVIATION: Final = Kind("civil aviation", ("green",), ("民", "航", LETTERS, *[DIGITS] * 4))

KINDS: Final = (
    CIVIL,
    ENERGY_SMALL,
    ENERGY_LARGE,
    SCHOOL,
    TRAILER,
    POLICE,
    EMERGENCY,
    MILITARY,
    HONG_KONG_MACAO,
    CONSULATE,
    EMBASSY,
    AVIATION,
)

# Military plates have no Chinese character, and two letters with five digits is what many foreign plates look
# like. Their two letters are red: where nothing red is seen, only the other kinds are read.
READ_KINDS: Final = tuple(kind for kind in KINDS if kind is not MILITARY)


def normalise(text: str) -> str:
    """The text as plates are stored: half-width capitals without separators. Guesses nothing: O stays O."""
    return SEPARATORS.sub("", unicodedata.normalize("NFKC", text)).upper()


def kind_of(text: str) -> Kind | None:
    """The kind of plate that `text` is, or None."""
    return next((kind for kind in KINDS if kind.allows(text)), None)


def is_valid(text: str, colour: Colour | None = None) -> bool:
    """Whether there is such a plate (on that colour). `text` is normalised."""
    kind = kind_of(text)
    return kind is not None and (colour is None or colour in kind.colours)


def is_supported(text: str) -> bool:
    """Whether `text` is of a kind that is read; plates of all other kinds come out as not readable."""
    return kind_of(text) is not None
