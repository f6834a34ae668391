"""Endless training crops: real ones, and those of a pool, each time seen and degraded anew."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from models.pictures import Image
from models.plate_art import random_plates
from models.plate_crops import recombine
from models.plate_crops.crops import HOME, RealCrops, degrade, jitter
from models.plate_crops.pool import SOURCES, Pool, open_pool
from models.plate_crops.views import another_view
from vision.plates import PROVINCES
from vision.rectify import level


class Crops:
    """Seeded training crops from all sources there are.

    mixture: the share of each source, `home_share` and `held_out_every`; a source that the pool does not hold
    is shared out among the rest.
    """

    def __init__(self, root: Path, pool: Path, mixture: dict[str, Any], seed: int) -> None:
        self.rng = np.random.default_rng([seed, 3])
        self.mixture = mixture
        self.folder = pool
        self.real = RealCrops(root, mixture["held_out_every"], held_out=False)
        self.pools: dict[str, Pool] = {}
        self.look_again()

    def look_again(self) -> None:
        """Take in what the pool has got since."""
        for source in SOURCES:
            try:
                self.pools[source] = open_pool(self.folder, source)
            except FileNotFoundError:
                continue
        names = ["real", *self.pools]
        shares = np.array([self.mixture.get(name, 0.0) for name in names])
        self.names, self.shares = names, shares / shares.sum()

    def batch(self, size: int) -> list[tuple[Image, str]]:
        """`size` degraded crops and their texts."""
        sources = self.rng.choice(self.names, size, p=self.shares)
        return [self.one(str(source)) for source in sources]

    def one(self, source: str) -> tuple[Image, str]:
        """A crop of this source."""
        if source == "real":
            picked = self.real.draw(self.rng, self.mixture["home_share"])
            crop, text = level(picked.image, jitter(picked.corners, self.rng)), picked.text
        else:
            crop, text = self.pools[source].draw(self.rng)
        return degrade(another_view(crop, self.rng), self.rng), text


def provinces_oftener(mixture: dict[str, Any], real: RealCrops) -> dict[str, float]:
    """How many times oftener than the rarest a training on this mixture shows each province; 1 left out.

    All sources but the real crops show every province equally often.
    """
    counted = Counter(crop.text[0] for crop in real.others)
    shown = dict.fromkeys(PROVINCES, (1 - mixture["real"]) / len(PROVINCES))
    shown[HOME] += mixture["real"] * mixture["home_share"]
    for province, count in counted.items():
        shown[province] += mixture["real"] * (1 - mixture["home_share"]) * count / counted.total()
    least = min(shown.values())
    oftener = {province: round(share / least, 2) for province, share in shown.items()}
    return {province: times for province, times in oftener.items() if times != 1.0}


def letters_oftener(mixture: dict[str, Any]) -> float:
    """How many times oftener than in life a letter stands behind the energy letter of a small car.

    As odds, letters to digits. Real and swapped crops show no such plate.
    """
    drawn = mixture["drawn"] * random_plates.KINDS["green"]
    recombined = mixture["recombined"] * recombine.KINDS["green small"]
    life = random_plates.ENERGY_LETTER_SHARE
    letters = (drawn * life + recombined * recombine.LETTER_SHARE) / (drawn + recombined)
    return round(letters / (1 - letters) / (life / (1 - life)), 2)
