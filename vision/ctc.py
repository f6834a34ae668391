"""The decoder: what a CTC reader's output says about plates, exactly, under the grammar.

A CTC network gives for each step a probability of each character or of the blank. Summed over all ways of
spelling it, every text has a probability; summed over all texts of a kind, the kind has one, and each of its
positions a distribution over characters. Forward-backward over the lattice position × character gives these
sums without listing texts (A. Graves et al., Connectionist Temporal Classification, 2006; here the label is
not one text but a set of characters at each position).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from vision.plates import READ_KINDS, Kind
from vision.types import Position

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

# A kind is left out where even a generous bound says it has less than this share of all paths.
NEGLIGIBLE = 1e-7
# How many texts are weighed against the most likely character at every position.
RIVALS_LIMIT = 128
POSITION_CHARACTERS = 5


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the decoder found.

    text: the most likely plate, or None where no kind has any probability.
    probability: of exactly this text among everything the network could have meant.
    mass: probability of all texts that are plates; kinds: the same for each kind.
    kind_share: how likely the plate is of the text's kind, given that it is a plate, weights included.
    positions: the distribution at each position, given that the plate is of the text's kind.
    """

    text: str | None
    kind: Kind | None
    probability: float
    mass: float
    kinds: Mapping[str, float]
    kind_share: float
    positions: tuple[Position, ...]


NOTHING = Decoded(None, None, 0.0, 0.0, {}, 0.0, ())


class PlateDecoder:
    """Decodes the output of one network.

    alphabet: the network's characters by class; the entry of the blank is not looked at.
    silent: characters that stand on plates but in no text, such as the dot: they count as blanks.
    """

    # What a network calls a character that it knows from elsewhere: no serial has I or O.
    ALIASES: ClassVar = {"O": "0", "I": "1"}

    def __init__(
        self,
        alphabet: Sequence[str],
        kinds: Sequence[Kind] = READ_KINDS,
        *,
        blank: int = 0,
        silent: str = "·•.- ",
    ) -> None:
        index = {c: i for i, c in enumerate(alphabet) if i != blank}
        # A network that lacks a character cannot read the kinds that need it.
        self.kinds = [k for k in kinds if all(any(c in index for c in allowed) for allowed in k.positions)]
        wanted = {c for k in self.kinds for allowed in k.positions for c in allowed}
        self.characters = sorted(wanted & set(index))
        self.columns: Indices = np.array([index[c] for c in self.characters], np.intp)
        self.twins = [
            (self.characters.index(own), index[alias])
            for alias, own in self.ALIASES.items()
            if alias in index and own in self.characters
        ]
        dots = [i for i, c in enumerate(alphabet) if i != blank and c in silent]
        self.blanks: Indices = np.array([blank, *dots], np.intp)
        self.lengths: Indices = np.array([len(k.positions) for k in self.kinds], np.intp)
        self.allowed = np.zeros((len(self.kinds), int(self.lengths.max()), len(self.characters)))
        for g, kind in enumerate(self.kinds):
            for i, allowed in enumerate(kind.positions):
                self.allowed[g, i] = [float(c in allowed) for c in self.characters]

    def decode(self, output: npt.NDArray[np.floating], weights: Mapping[str, float] | None = None) -> Decoded:
        """What `output` says of plates.

        output: (T, C) softmax rows. weights: by name of the kind, how likely it is for reasons the network
        does not see (the colour); 1 where not given. The weights decide which kind is chosen and its share;
        probability and masses stay the network's own.
        """
        characters = np.asarray(output[:, self.columns], np.float64)
        for column, twin in self.twins:
            characters[:, column] += output[:, twin]
        blank = np.asarray(output[:, self.blanks], np.float64).sum(axis=1)
        candidates = self._possible(characters.sum(axis=0))
        if not len(candidates):
            return NOTHING
        entered, masses = forward(characters, blank, self.allowed[candidates], self.lengths[candidates])
        names = [self.kinds[g].name for g in candidates]
        weighed = masses * np.array([weights.get(name, 1.0) for name in names]) if weights else masses
        winner = int(weighed.argmax())
        if weighed[winner] <= 0.0:
            return NOTHING
        length = int(self.lengths[candidates[winner]])
        allowed = self.allowed[candidates[winner], :length]
        marginals = position_marginals(entered[:, winner, :length], characters, blank, allowed)
        best, probability = most_likely_text(characters, blank, marginals)
        return Decoded(
            text="".join(self.characters[k] for k in best),
            kind=self.kinds[candidates[winner]],
            probability=probability,
            mass=float(masses.sum()),
            kinds=dict(zip(names, masses.tolist(), strict=True)),
            kind_share=float(weighed[winner] / weighed.sum()),
            positions=tuple(self._position(row / row.sum()) for row in marginals),
        )

    def _possible(self, ever: Array) -> Indices:
        """The kinds each of whose positions can be filled at all; `ever`: (K,) sum over the steps."""
        reach = self.allowed @ ever
        reach[np.arange(reach.shape[1]) >= self.lengths[:, None]] = np.inf
        return np.flatnonzero(reach.min(axis=1) > NEGLIGIBLE)

    def _position(self, row: Array) -> Position:
        order = np.argsort(-row, kind="stable")[:POSITION_CHARACTERS]
        return tuple((self.characters[k], float(row[k])) for k in order if row[k] > 0.0)


def forward(characters: Array, blank: Array, allowed: Array, lengths: Indices) -> tuple[Array, Array]:
    """Sum over all paths that spell a text of each kind.

    characters: (T, K), blank: (T,), allowed: (G, L, K), lengths: (G,). Gives `entered` (T, G, L, K), the
    probability of all paths whose step t begins character k at position i, and the mass of each kind (G,).
    The same character twice needs a blank between.
    """
    groups, length, _ = allowed.shape
    inside = np.zeros_like(allowed)  # paths that end in character k at position i
    after = np.zeros((groups, length + 1))  # paths that end in a blank behind i characters
    after[:, 0] = 1.0
    entered = np.zeros((len(blank), *allowed.shape))
    for t in range(len(blank)):
        sums = inside.sum(axis=2)
        begun = entered[t]
        begun += after[:, :-1, None]
        # Rounding may leave a trace below zero where one character holds all of the sum.
        begun[:, 1:] += np.maximum(sums[:, :-1, None] - inside[:, :-1], 0.0)
        begun *= allowed
        begun *= characters[t]
        inside *= characters[t]
        inside += begun
        after[:, 1:] += sums
        after *= blank[t]
    each = np.arange(groups)
    return entered, inside[each, lengths - 1].sum(axis=1) + after[each, lengths]


def position_marginals(entered: Array, characters: Array, blank: Array, allowed: Array) -> Array:
    """(L, K) probability of each character at each position of one kind; each row sums to the kind's mass.

    entered: (T, L, K) of the forward pass; allowed: (L, K).
    """
    inside = np.zeros_like(allowed)  # what can still follow when the path is in character k of position i
    inside[-1] = 1.0
    after = np.zeros(len(allowed) + 1)  # the same when it is in the blank behind i characters
    after[-1] = 1.0
    marginals: Array = entered[-1] * inside
    for t in range(len(blank) - 1, 0, -1):
        begun = inside * characters[t]
        begun *= allowed
        sums = begun.sum(axis=1)
        inside *= characters[t]
        inside += (blank[t] * after[1:])[:, None]
        inside[:-1] += np.maximum(sums[1:, None] - begun[1:], 0.0)
        after *= blank[t]
        after[:-1] += sums
        marginals += entered[t - 1] * inside
    return marginals


def text_probabilities(characters: Array, blank: Array, texts: Indices) -> Array:
    """Exact probability of each text. texts: (N, L) columns of `characters`."""
    count, length = texts.shape
    repeats = np.zeros((count, length), bool)
    repeats[:, 1:] = texts[:, 1:] == texts[:, :-1]
    inside = np.zeros((count, length))
    after = np.zeros((count, length + 1))
    after[:, 0] = 1.0
    emitted = characters[:, texts]
    for t in range(len(blank)):
        before = inside.copy()
        before += after[:, :-1]
        before[:, 1:] += np.where(repeats[:, 1:], 0.0, inside[:, :-1])
        after[:, 1:] += inside
        after *= blank[t]
        inside = before * emitted[t]
    probabilities: Array = inside[:, -1] + after[:, -1]
    return probabilities


def most_likely_text(characters: Array, blank: Array, marginals: Array) -> tuple[list[int], float]:
    """The most likely text as columns and its exact probability.

    A text is never likelier than any of its characters at their positions. So only characters likelier than
    the best text so far can make a better one, and the few texts they make are all weighed.
    """
    best: Indices = marginals.argmax(axis=1)
    probability = float(text_probabilities(characters, blank, best[None])[0])
    choices = [np.flatnonzero(row > probability) for row in marginals]
    choices = [c[np.argsort(-marginals[i, c])] if c.size else best[i : i + 1] for i, c in enumerate(choices)]
    if all(len(c) == 1 for c in choices):
        return best.tolist(), probability
    while np.prod([len(c) for c in choices]) > RIVALS_LIMIT:
        widest = max(range(len(choices)), key=lambda i: len(choices[i]))
        choices[widest] = choices[widest][:-1]
    rivals = np.array(list(itertools.product(*choices)), np.intp)
    weighed = text_probabilities(characters, blank, rivals)
    winner = int(weighed.argmax())
    if weighed[winner] <= probability:
        return best.tolist(), probability
    return rivals[winner].tolist(), float(weighed[winner])
