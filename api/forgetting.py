"""Forgets what the retention time is over for: rows first, then the pictures they named."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.evidence import EvidenceStore
from wallet.privacy import Privacy

log = logging.getLogger(__name__)

# So many rounds at most in one go, so that other work of the janitor is not kept waiting.
ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a sweep did. sightings: erased; pictures: deleted; orphans: pictures no sighting ever named."""

    sightings: int = 0
    pictures: int = 0
    orphans: int = 0


class Forgetting:
    """Sweeps with one retention time. actor: who is written down for it."""

    def __init__(
        self, privacy: Privacy, evidence: EvidenceStore, retain: timedelta, actor: str = "retention"
    ) -> None:
        self._privacy = privacy
        self._evidence = evidence
        self._retain = retain
        self._actor = actor

    def sweep(self, now: datetime) -> Forgotten:
        """Erase what is due, then delete the pictures of all that was erased, by earlier sweeps too."""
        before = now - self._retain
        sightings = _until_nothing(lambda: self._privacy.forget_strangers(before, self._actor, now))
        return Forgotten(sightings, _until_nothing(self._delete_pictures))

    def sweep_orphans(self, now: datetime) -> int:
        """Delete pictures older than the retention time that belong to nothing; looks at the whole folder.

        They come from uploads whose sighting never came, and from cameras that repeat an erased one.
        """
        orphans = 0
        for sha256 in self._evidence.older_than(now - self._retain):
            if not self._privacy.needs_picture(sha256):
                orphans += self._evidence.delete(sha256)
        return orphans

    def _delete_pictures(self) -> int:
        """The files go before their names: whatever breaks off in between is seen again."""
        found = self._privacy.pictures_to_erase()
        for sighting_id, pictures in found:
            for sha256 in pictures:
                self._evidence.delete(sha256)
            self._privacy.pictures_are_gone(sighting_id)
        return len(found)


def _until_nothing(step: Callable[[], int]) -> int:
    total = 0
    for _ in range(ROUNDS):
        done = step()
        total += done
        if not done:
            break
    return total
