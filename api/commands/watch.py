"""`platepay watch`: one camera, until it is told to stop or its file has ended."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from api.commands.readers import open_second_reader
from cameras.config import load_cameras
from cameras.messages import ModelNames, named_together
from cameras.sinks import open_sink
from cameras.watch import WatchReport, pipeline_options
from cameras.watch import watch as watch_camera
from vision.backends import (
    DETECTOR,
    READER,
    SECOND_READER,
    load_detector,
    load_reader,
)
from vision.cards import open_weights
from vision.pipeline import build_pipeline

DATA_DIR_VARIABLE = "PLATEPAY_DATA_DIR"

log = logging.getLogger(__name__)


def watch(cameras_file: Path, camera_name: str, engine: str) -> int:
    """Watch the camera; returns 0, or 1 where messages still wait in the spool at the end."""
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # Ours tell what happens; the libraries only what is wrong.
    for ours in ("cameras", "vision", "api"):
        logging.getLogger(ours).setLevel(logging.INFO)
    cameras = load_cameras(cameras_file)
    camera = cameras.camera(camera_name)
    pipeline = build_pipeline(
        pipeline_options(camera),
        load_detector(engine, long_side_px=camera.search_px),
        load_reader(engine),
        second_reader=open_second_reader(engine),
    )
    readers = named_together(open_weights(READER).sha256, open_weights(SECOND_READER).sha256)
    models = ModelNames(detector=open_weights(DETECTOR).sha256, reader=readers)
    folder = Path(os.environ.get(DATA_DIR_VARIABLE, "platepay-data"))
    sink = open_sink(camera, cameras.service, folder, models, sys.stdout)
    stop = _stop_on_signal()
    try:
        report = watch_camera(camera, pipeline, sink, stop)
    finally:
        sink.close()
    log.info("%s", _summary(camera.name, report))
    return 1 if report.undelivered else 0


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask_to_stop)
    return stop


def _summary(name: str, report: WatchReport) -> str:
    waiting = "; messages still wait in the spool and go out next time" if report.undelivered else ""
    return (
        f"camera {name}: {report.frames} frames, {report.sightings} sightings, "
        f"{report.departures} departures, {report.unread} plates gone unread, "
        f"{report.stats.dropped} frames dropped{waiting}"
    )
