"""The characters the reader tells apart, in the order of its output classes; class 0 is the CTC blank."""

from models.plate_art.make_glyphs import DIGITS, LETTERS, PROVINCES, SPECIAL

# I is on no plate; O is on a few, as the second character.
ALPHABET = PROVINCES + LETTERS.replace("I", "") + DIGITS + SPECIAL

INPUT_HEIGHT = 48
INPUT_WIDTH = 168

METADATA = {
    "kind": "plate_reader",
    "alphabet": ALPHABET,
    "blank": "0",
    "output": "softmax",
    "input_height": str(INPUT_HEIGHT),
    "input_width": str(INPUT_WIDTH),
    "mean": "0.5",
    "std": "0.5",
    "channels": "BGR",
}
