"""The source of frames that fits a camera's url."""

from __future__ import annotations

import random
from pathlib import Path

from cameras.config import CameraConfig
from cameras.file_sources import StillsSource, VideoFileSource
from cameras.frame_source import FrameSource, NowFunction, SourceStats, utc_now
from cameras.live_source import LiveSource

__all__ = ["FrameSource", "LiveSource", "SourceStats", "StillsSource", "VideoFileSource", "open_source"]


def open_source(
    camera: CameraConfig, *, rng: random.Random | None = None, now: NowFunction = utc_now
) -> FrameSource:
    """The frames of a camera. A live stream is opened in the background and never fails here.

    Raises StreamNotOpened or NoPictures where a file or folder cannot be used.
    """
    if camera.is_live:
        return LiveSource(camera, rng=rng, now=now)
    if Path(camera.url).is_dir():
        return StillsSource(camera, now=now)
    return VideoFileSource(camera, now=now)
