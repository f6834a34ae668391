"""Where a camera's sightings go: to the service through the outbox, or as JSON lines to a text stream."""

from __future__ import annotations

import fcntl
import json
import logging
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TextIO

import uuid_utils

from cameras.backoff import Backoff
from cameras.config import CameraConfig, ServiceLink
from cameras.errors import CameraWatchedTwice
from cameras.evidence import EvidenceStore
from cameras.frame_source import NowFunction, utc_now
from cameras.health import CameraHealth
from cameras.messages import (
    Message,
    ModelNames,
    as_bytes,
    departure_message,
    health_message,
    health_path,
    sighting_message,
)
from cameras.outbox import Outbox, OutboxCounts
from cameras.sender import HealthReport, OutboxSender, SenderCounts
from vision.types import Sighting

log = logging.getLogger(__name__)

EVIDENCE_KEPT = timedelta(days=7)
SWEEP_EVERY = timedelta(hours=1)
FLUSH_STEP_S = 2.0


def new_sighting_id() -> str:
    """A uuid7: unique for ever, and sorted by time."""
    return str(uuid_utils.uuid7())


class Sink(Protocol):
    """Takes what a camera saw. What it has taken is safe."""

    def sighting(self, sighting: Sighting) -> str:
        """Keeps the sighting with its evidence; gives its id."""
        ...

    def departure(self, sighting_id: str, left_at: datetime) -> None: ...

    def health(self, health: CameraHealth) -> None: ...

    def flush(self, timeout_s: float) -> bool:
        """True once everything taken has arrived."""
        ...

    def close(self) -> None: ...


class ServiceSink:
    """To the service: evidence to disk, message into the outbox, and a thread that sends.

    Raises CameraWatchedTwice where another process has this camera's outbox.
    """

    def __init__(
        self,
        camera: CameraConfig,
        link: ServiceLink,
        folder: Path,
        models: ModelNames,
        *,
        new_id: Callable[[], str] = new_sighting_id,
        now: NowFunction = utc_now,
        rng: random.Random | None = None,
        kept: timedelta = EVIDENCE_KEPT,
    ) -> None:
        self._camera = camera
        self._models = models
        self._new_id = new_id
        self._now = now
        self._kept = kept
        self._swept_at: datetime | None = None
        self._lock = take_lock(camera.name, spool_folder(folder) / f"{camera.name}.lock")
        self.evidence = EvidenceStore(folder / "evidence")
        self.outbox = Outbox(spool_folder(folder) / f"{camera.name}.db")
        backoff = Backoff(rng or random.Random())  # noqa: S311 - no secret depends on it
        self.sender = OutboxSender(self.outbox, self.evidence, link, backoff)
        self.sender.start()

    @property
    def counts(self) -> tuple[OutboxCounts, SenderCounts]:
        return self.outbox.counts(), self.sender.counts

    def sighting(self, sighting: Sighting) -> str:
        message = keep(sighting, self._new_id(), self._camera, self.evidence, self._models)
        self.outbox.put_sighting(message, self._now())
        return str(message["sighting_id"])

    def departure(self, sighting_id: str, left_at: datetime) -> None:
        self.outbox.put_departure(departure_message(sighting_id, left_at), self._now())

    def health(self, health: CameraHealth) -> None:
        body = as_bytes(health_message(health, self._camera.station))
        self.sender.report_health(HealthReport(health_path(self._camera.name), body))
        self._sweep()

    def flush(self, timeout_s: float) -> bool:
        """True once everything has arrived; does not wait for a service that cannot be reached."""
        end_s = time.monotonic() + timeout_s
        while (left_s := end_s - time.monotonic()) > 0:
            if self.outbox.wait_until_empty(min(left_s, FLUSH_STEP_S)):
                return True
            if self.sender.counts.failing:
                break
        return self.outbox.wait_until_empty(0.0)

    def close(self) -> None:
        self.sender.stop()
        self.outbox.close()
        self._lock.close()

    def _sweep(self) -> None:
        now = self._now()
        if self._swept_at is not None and now - self._swept_at < SWEEP_EVERY:
            return
        self._swept_at = now
        swept = self.evidence.sweep(self._kept, now, self.outbox.evidence_needed())
        if swept:
            log.info("camera %s: %d old evidence pictures deleted", self._camera.name, swept)


class JsonLinesSink:
    """One JSON object a line: `{"event": "sighting", …}`, departures and changes of health.

    folder: where evidence is kept.
    """

    def __init__(
        self,
        camera: CameraConfig,
        stream: TextIO,
        folder: Path,
        models: ModelNames,
        *,
        new_id: Callable[[], str] = new_sighting_id,
    ) -> None:
        self._camera = camera
        self._stream = stream
        self._models = models
        self._new_id = new_id
        self._state = ""
        self.evidence = EvidenceStore(folder / "evidence")

    def sighting(self, sighting: Sighting) -> str:
        message = keep(sighting, self._new_id(), self._camera, self.evidence, self._models)
        self._write({"event": "sighting", **message})
        return str(message["sighting_id"])

    def departure(self, sighting_id: str, left_at: datetime) -> None:
        self._write({"event": "departure", **departure_message(sighting_id, left_at)})

    def health(self, health: CameraHealth) -> None:
        """Written where the state has changed."""
        if health.state == self._state:
            return
        self._state = health.state
        message = health_message(health, self._camera.station)
        self._write({"event": "health", "camera": self._camera.name, **message})

    def flush(self, timeout_s: float) -> bool:
        del timeout_s
        self._stream.flush()
        return True

    def close(self) -> None:
        self._stream.flush()

    def _write(self, message: dict[str, Any]) -> None:
        self._stream.write(json.dumps(message, ensure_ascii=False) + "\n")
        self._stream.flush()


def spool_folder(folder: Path) -> Path:
    """Where the spools of all cameras are, NAME.db each, in the folder of all that is kept."""
    return folder / "outbox"


def take_lock(camera: str, path: Path) -> TextIO:
    """A lock that lasts while the file is open and this process lives; raises CameraWatchedTwice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise CameraWatchedTwice(camera, path) from error
    return file


def keep(
    sighting: Sighting, sighting_id: str, camera: CameraConfig, evidence: EvidenceStore, models: ModelNames
) -> Message:
    """The sighting's message, bound to evidence pictures that are on disk."""
    return sighting_message(
        sighting,
        sighting_id=sighting_id,
        station=camera.station,
        evidence=evidence.keep(sighting),
        models=models,
    )


def open_sink(
    camera: CameraConfig, service: ServiceLink | None, folder: Path, models: ModelNames, stream: TextIO
) -> Sink:
    """The sink that fits cameras.toml: the service where there is one, else JSON lines to the stream.

    folder: of this machine's data; outbox and evidence lie in it.
    """
    if service is None:
        return JsonLinesSink(camera, stream, folder, models)
    return ServiceSink(camera, service, folder, models)
