"""The text and colour of levelled crops, by a CTC network behind our own decoder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt

from vision.colour import COLOURS, PRIOR, colour_probabilities, most_likely, most_likely_of, starts_red
from vision.ctc import Decoded, PlateDecoder
from vision.detector import Network
from vision.paint import paint_probabilities
from vision.plates import ENERGY_SMALL, KINDS, LETTERS, Kind
from vision.rectify import READER_HEIGHT, READER_WIDTH, merge_rows
from vision.types import Colour, Image, PlateText, Position

Floats = npt.NDArray[np.float32]
# What every reader takes: crops, channels, height, width.
INPUT_SHAPE = (1, 3, READER_HEIGHT, READER_WIDTH)
Colours = dict[Colour, float]

# Fitted on 1,200 plates of train/crops, blurred, shrunk and darkened until 6 % were read wrong.
TEMPERATURE = 1.2
# A crop read as surely as this in one layout is not tried in another.
READS_WELL = 0.9
# The grounds of plates that are not ours, in round figures.
FOREIGN: Mapping[Colour, float] = {"white": 0.55, "yellow": 0.15, "black": 0.1, "blue": 0.1, "green": 0.1}
LEAST_DOUBT = 1e-6
# Behind the energy letter of a small car stands a digit, or seldom a letter.
BEHIND_ENERGY = 3
# White is rare: where it is as likely as this, it is worth a closer look.
LEAST_WHITE = 0.1


@dataclass(frozen=True, slots=True)
class Limits:
    """When a crop is no plate.

    least_mass: share of all paths that spell some plate. least_confidence: of the most likely text.
    temperature: above 1 where the network is surer than it is right; 1 leaves it as it is.
    provinces_oftener: how many times oftener than the rarest each province was in the training, where it was:
    a network in doubt says what it saw most, wherever the camera stands. letters_oftener: the same for
    letters behind the energy letter of small cars, against how often such plates have one.
    """

    least_mass: float = 0.2
    least_confidence: float = 0.02
    temperature: float = TEMPERATURE
    provinces_oftener: Mapping[str, float] = field(default_factory=dict)
    letters_oftener: float = 1.0


class PlateReader:
    """Reads crops with an exported network.

    alphabet: characters by class; class 0 is the blank. batches: whether the network is quicker on several
    crops at once than on one after the other.
    """

    def __init__(
        self,
        network: Network,
        alphabet: Sequence[str],
        limits: Limits | None = None,
        *,
        batches: bool = False,
    ) -> None:
        self.network = network
        self.decoder = PlateDecoder(alphabet)
        self.military_decoder = PlateDecoder(alphabet, KINDS)
        self.limits = limits or Limits()
        self.batches = batches

    def read(self, crop: Image, rows: Sequence[int] = (1,)) -> PlateText:
        """What stands on a levelled crop.

        crop: (h, w, 3) uint8 BGR; not changed. rows: how many rows it may have; they are tried in turn until
        one reads well, and the most probable reading wins.
        """
        return self.read_many([crop], [rows])[0]

    def read_many(self, crops: Sequence[Image], rows: Sequence[Sequence[int]]) -> list[PlateText]:
        """What `read` says of each crop; a fifth to a third quicker where the network takes batches."""
        lines = [reader_line(crop, counts[0]) for crop, counts in zip(crops, rows, strict=True)]
        outputs = self._run(lines)
        return [self._read(*each) for each in zip(crops, rows, outputs, strict=True)]

    def _read(self, crop: Image, rows: Sequence[int], output: Floats) -> PlateText:
        """output: of the network, for the first of the layouts."""
        # One after the other: what both do to the crop is then still in the processor's caches.
        colours, paint = colour_probabilities(crop), paint_probabilities(crop)
        weights = kind_weights(paint)
        decoder = self.military_decoder if may_be_military(crop, colours) else self.decoder
        best = decoder.decode(output, weights)
        for count in rows[1:]:
            if best.probability >= READS_WELL:
                break
            [output] = self._run([reader_line(crop, count)])
            best = max(best, decoder.decode(output, weights), key=lambda found: found.probability)
        return plate_text(best, colours, self.limits, paint)

    def _run(self, lines: Sequence[Image]) -> Sequence[Floats]:
        if self.batches and len(lines) > 1:
            return list(self.network.run(reader_input(*lines)))
        return [self.network.run(reader_input(line))[0] for line in lines]


def reader_line(crop: Image, rows: int = 1) -> Image:
    """A levelled crop of so many rows as one line of the size that readers take, (48, 168, 3) uint8 BGR."""
    if rows == 2:
        return merge_rows(crop)
    interpolation = cv2.INTER_AREA if crop.shape[1] > READER_WIDTH else cv2.INTER_LINEAR
    line = cv2.resize(crop, (READER_WIDTH, READER_HEIGHT), interpolation=interpolation)
    return np.asarray(line, np.uint8)


def reader_input(*lines: Image) -> Floats:
    """Lines (48, 168, 3) uint8 BGR as one batch, (N, 3, 48, 168) float32 BGR, -1..1.

    In memory it is laid out pixel by pixel as pictures are.
    """
    batch = np.empty((len(lines), READER_HEIGHT, READER_WIDTH, 3), np.float32)
    for into, line in zip(batch, lines, strict=True):
        np.multiply(line, np.float32(1 / 127.5), out=into)
    batch -= 1.0
    return batch.transpose(0, 3, 1, 2)


def may_be_military(crop: Image, colours: Colours) -> bool:
    """Whether a crop looks like a military plate, whose text alone many foreign plates have too."""
    return colours["white"] >= LEAST_WHITE and starts_red(crop)


def kind_weights(colours: Colours) -> dict[str, float]:
    """How likely each kind of plate is by the colour alone."""
    return {kind.name: sum(colours[colour] for colour in kind.colours) for kind in KINDS}


def plate_text(decoded: Decoded, colours: Colours, limits: Limits, paint: Colours | None = None) -> PlateText:
    """The decoder's answer and the colour's, each corrected by the other.

    The text decides among the colours its kind may have; the colour has already weighed the kinds. paint: by
    which the colour is said; without it by `colours`.
    """
    paint = paint or colours
    kind = decoded.kind
    if kind is None or decoded.text is None or decoded.mass < limits.least_mass:
        return PlateText(None, *most_likely(paint), (), 0.0)
    decoded = evened(decoded, limits)
    tempered = tuple(temper(position, limits.temperature) for position in decoded.positions)
    of_kind = temper_share(decoded.kind_share, limits.temperature)
    given_kind = temper_share(decoded.probability / decoded.kinds[kind.name], limits.temperature)
    confidence = of_kind * given_kind * is_ours(decoded.mass, kind, colours)
    if confidence < limits.least_confidence:
        return PlateText(None, *most_likely(paint), (), 0.0)
    return PlateText(decoded.text, *most_likely_of(kind.colours, paint), tempered, confidence)


def is_ours(mass: float, kind: Kind, colours: Colours) -> float:
    """Chance that this is a plate of ours: the mass of the decoder, less where the colour is strange.

    Readers make a province of anything before five characters, and most foreign plates are white, which
    no plate of ours but the police's is. Odds of the mass times the likelihood ratio of the colour; a
    colour that fits does not make it likelier.
    """
    seen = {colour: colours[colour] / PRIOR[colour] for colour in COLOURS}
    own = sum(PRIOR[c] * seen[c] for c in kind.colours) / sum(PRIOR[c] for c in kind.colours)
    strange = sum(FOREIGN[c] * seen[c] for c in COLOURS)
    if own >= strange:
        return min(1.0, mass)
    odds = mass / max(1 - mass, LEAST_DOUBT) * own / strange
    return odds / (1 + odds)


def evened(decoded: Decoded, limits: Limits) -> Decoded:
    """What the network would say had its training shown every character as often as plates have it.

    By Bayes' rule: of the province, and of what stands behind the energy letter of a small car. Provinces
    count as equally frequent: what cars come to a station is not the reader's to say.
    """
    decoded = shown_less(decoded, 0, limits.provinces_oftener)
    if decoded.kind is ENERGY_SMALL and limits.letters_oftener != 1.0:
        decoded = shown_less(decoded, BEHIND_ENERGY, dict.fromkeys(LETTERS, limits.letters_oftener))
    return decoded


def shown_less(decoded: Decoded, place: int, oftener: Mapping[str, float]) -> Decoded:
    """What it would say had each character been shown at this place so many times less.

    What is not listed counts as shown as seldom as the rarest.
    """
    if not oftener or not decoded.positions or decoded.text is None or decoded.kind is None:
        return decoded
    listed = decoded.positions[place]
    weighed = [(character, p / oftener.get(character, 1.0)) for character, p in listed]
    total = math.fsum(p for _, p in weighed) + max(0.0, 1 - math.fsum(p for _, p in listed))
    position = tuple(sorted(((c, p / total) for c, p in weighed), key=lambda item: (-item[1], item[0])))
    said = dict(listed).get(decoded.text[place])
    if not said:
        return decoded
    probability = min(decoded.probability * position[0][1] / said, decoded.kinds[decoded.kind.name])
    text = decoded.text[:place] + position[0][0] + decoded.text[place + 1 :]
    positions = (*decoded.positions[:place], position, *decoded.positions[place + 1 :])
    return replace(decoded, text=text, probability=probability, positions=positions)


def temper(position: Position, temperature: float) -> Position:
    """The same characters with probabilities drawn together (temperature above 1); the sum stays."""
    if temperature == 1.0 or not position:
        return position
    before = sum(p for _, p in position)
    raised = [p ** (1 / temperature) for _, p in position]
    scale = before / sum(raised)
    return tuple((c, p * scale) for (c, _), p in zip(position, raised, strict=True))


def temper_share(share: float, temperature: float) -> float:
    """A probability against all else, drawn towards one half."""
    if temperature == 1.0 or share in (0.0, 1.0):
        return share
    odds = float((share / max(1 - share, 1e-12)) ** (1 / temperature))
    return odds / (1 + odds)
