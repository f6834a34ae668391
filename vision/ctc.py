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

# Left out is what is surely less likely than this, as a share of all paths: kinds, and rare characters.
NEGLIGIBLE = 5e-7
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

    # (what a network says, what it may mean): no serial has I or O, and where O may stand no digit does.
    ALIASES: ClassVar = (("O", "0"), ("I", "1"), ("0", "O"))

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
            for alias, own in self.ALIASES
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
        ever = characters.sum(axis=0)
        bounds = self._bounds(ever)
        candidates = frequent(bounds, NEGLIGIBLE)
        kept = frequent(ever, NEGLIGIBLE)
        if not len(candidates) or not len(kept):
            return NOTHING
        characters = characters[:, kept]
        names = [self.kinds[g].name for g in candidates]
        prior = np.array([weights.get(name, 1.0) for name in names]) if weights else np.ones(len(names))
        lattice = Lattice(self.allowed[candidates][:, :, kept], self.lengths[candidates], characters, blank)
        # The likeliest kind is nearly always the one that its bound shows.
        expected = int((bounds[candidates] * prior).argmax())
        masses, marginals = lattice.walk(expected)
        weighed = masses * prior
        winner = int(weighed.argmax())
        if weighed[winner] <= 0.0:
            return NOTHING
        if winner != expected:
            _, marginals = lattice.walk(winner)
        best, probability = most_likely_text(characters, blank, marginals)
        return Decoded(
            text="".join(self.characters[kept[k]] for k in best),
            kind=self.kinds[candidates[winner]],
            probability=probability,
            mass=float(masses.sum()),
            kinds=dict(zip(names, masses.tolist(), strict=True)),
            kind_share=float(weighed[winner] / weighed.sum()),
            positions=self._positions(marginals, kept),
        )

    def _bounds(self, ever: Array) -> Array:
        """No kind is likelier than this, (G,); `ever`: (K,) sum over the steps.

        That a path has a character for a position is at most as likely as the sum over steps and characters.
        The steps are independent and each position has steps of its own, so that the product over the
        positions bounds the kind (the inequality of J. van den Berg, H. Kesten and D. Reimer).
        """
        reach = np.minimum(self.allowed @ ever, 1.0)
        reach[np.arange(reach.shape[1]) >= self.lengths[:, None]] = 1.0
        return np.asarray(reach.prod(axis=1), np.float64)

    def _positions(self, marginals: Array, kept: Indices) -> tuple[Position, ...]:
        """The likeliest characters of each position as shares. marginals: (L, K)."""
        order = np.argsort(-marginals, axis=1, kind="stable")[:, :POSITION_CHARACTERS]
        shares = np.take_along_axis(marginals, order, axis=1) / marginals.sum(axis=1, keepdims=True)
        return tuple(
            tuple((self.characters[k], p) for k, p in zip(ks, ps, strict=True) if p > 0.0)
            for ks, ps in zip(kept[order].tolist(), shares.tolist(), strict=True)
        )


def frequent(shares: Array, negligible: float) -> Indices:
    """All but the smallest of the shares that are negligible even together, in their order."""
    order = np.argsort(shares, kind="stable")
    rare = int(np.searchsorted(np.cumsum(shares[order]), negligible, side="right"))
    return np.sort(order[rare:])


class Lattice:
    """All paths that spell a text of some kinds.

    Each kind has a row before its first position, then one a position, and all rows stand in one array: on
    arrays as small as these, the number of operations is the cost. allowed: (G, L, K), 1 where a character
    may stand; lengths: (G,); characters: (T, K); blank: (T,).
    """

    def __init__(self, allowed: Array, lengths: Indices, characters: Array, blank: Array) -> None:
        self.allowed, self.lengths = allowed, lengths
        self.characters, self.blank = characters, blank

    def walk(self, chosen: int) -> tuple[Array, Array]:
        """Probability of each kind, (G,), and of each character at each position of the chosen kind, (L, K).

        Each row of the latter sums to the kind's probability. All kinds are walked from the first step to
        the last, and beside them the chosen one from the last to the first: its positions turned round make
        one kind more. The same character twice needs a blank between.
        """
        steps, count = self.characters.shape
        length = int(self.lengths[chosen])
        allowed, ends = self._rows(chosen)
        turn = len(allowed) - length - 1  # the first row of the walk back
        start = int(ends[chosen]) - length
        inside = np.zeros_like(allowed)  # paths that end in character k of row r
        after = np.zeros(len(allowed))  # paths that end in a blank behind row r
        after[[0, *(ends[:-1] + 1)]] = 1.0
        ended, ones = np.empty_like(after), np.ones(count)
        behind = ended[:, None]
        waiting = np.empty_like(allowed)  # paths behind row r that may go on with character k
        entering = np.empty((steps, length, count))
        following = np.empty((steps, length, count))
        ahead, back = inside[:turn], inside[turn:]
        pauses = np.repeat(self.blank[:, None], len(allowed), axis=1)
        pauses[:, turn:] = self.blank[::-1, None]
        for t, pause in enumerate(pauses):
            np.dot(inside, ones, out=ended)
            ended += after
            np.subtract(behind, inside, out=waiting)
            entering[t] = waiting[start : start + length]
            # What leaves the last row of a kind meets the first of the next, where nothing is allowed.
            inside[1:] += waiting[:-1]
            following[-1 - t] = back[:0:-1]
            inside *= allowed
            ahead *= self.characters[t]
            back *= self.characters[-1 - t]
            np.multiply(ended, pause, out=after)
        masses = inside[ends].sum(axis=1) + after[ends]
        entering *= self.characters[:, None, :]
        entering *= following
        # Rounding may leave a trace below zero where one character holds all of a sum.
        marginals = np.maximum(entering.sum(axis=0) * self.allowed[chosen, :length], 0.0)
        return masses[:-1], marginals

    def _rows(self, chosen: int) -> tuple[Array, Indices]:
        """What each row allows, (R, K), and the last row of each kind, the one turned round included."""
        groups, longest, count = self.allowed.shape
        length = self.lengths[chosen]
        lengths = np.append(self.lengths, length)
        rows = np.zeros((groups + 1, longest + 1, count))
        rows[:-1, 1:] = self.allowed
        rows[-1, 1 : length + 1] = self.allowed[chosen, :length][::-1]
        return rows[np.arange(longest + 1) <= lengths[:, None]], np.cumsum(lengths + 1) - 1


def text_probabilities(characters: Array, blank: Array, texts: Indices) -> Array:
    """Exact probability of each text. texts: (N, L) columns of `characters`.

    The states are the blank before the text and then, in turn, a character and the blank behind it.
    """
    count, length = texts.shape
    emitted = np.empty((len(blank), count, 2 * length + 1))
    emitted[:, :, 0::2] = blank[:, None, None]
    emitted[:, :, 1::2] = characters[:, texts]
    skips = np.zeros((count, 2 * length + 1))  # a blank may be left out between two different characters
    skips[:, 3::2] = texts[:, 1:] != texts[:, :-1]
    padded = np.zeros((count, 2 * length + 3))
    padded[:, 2] = 1.0
    state, one_before, two_before = padded[:, 2:], padded[:, 1:-1], padded[:, :-2]
    total, skipped = np.empty_like(skips), np.empty_like(skips)
    for emission in emitted:
        np.add(state, one_before, out=total)
        np.multiply(two_before, skips, out=skipped)
        total += skipped
        np.multiply(total, emission, out=state)
    probabilities: Array = state[:, -1] + state[:, -2]
    return probabilities


def most_likely_text(characters: Array, blank: Array, marginals: Array) -> tuple[list[int], float]:
    """The most likely text as columns and its exact probability.

    A text is never likelier than any of its characters at their positions. So only characters likelier than
    the best text so far can make a better one, and the few texts they make are all weighed.
    """
    best: Indices = marginals.argmax(axis=1)
    probability = float(text_probabilities(characters, blank, best[None])[0])
    likelier = marginals > probability
    if likelier.sum(axis=1).max() <= 1:
        return best.tolist(), probability
    choices = [np.flatnonzero(row) for row in likelier]
    choices = [c[np.argsort(-marginals[i, c])] if c.size else best[i : i + 1] for i, c in enumerate(choices)]
    while np.prod([len(c) for c in choices]) > RIVALS_LIMIT:
        widest = max(range(len(choices)), key=lambda i: len(choices[i]))
        choices[widest] = choices[widest][:-1]
    rivals = np.array(list(itertools.product(*choices)), np.intp)
    weighed = text_probabilities(characters, blank, rivals)
    winner = int(weighed.argmax())
    if weighed[winner] <= probability:
        return best.tolist(), probability
    return rivals[winner].tolist(), float(weighed[winner])
