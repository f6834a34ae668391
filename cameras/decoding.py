"""Opens one connection to a stream or video file and decodes its pictures with PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import av
import numpy as np

from cameras.config import is_live_url
from cameras.errors import StreamLost, StreamNotOpened
from cameras.stills import is_cut_off_jpeg
from vision.types import Image

OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 5.0
# After damage the decoder builds on a wrong picture until the next keyframe; a stream that has none comes
# back after this long.
DAMAGE_LASTS_AT_MOST_S = 10.0
# Containers without times of their own: ffmpeg counts frames there, which is no clock.
UNTIMED_FORMATS = ("mpjpeg", "mjpeg", "jpeg_pipe", "image2")


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A good picture still in the decoder's format. pts_s: None where the stream has no times."""

    frame: Any
    pts_s: float | None
    width: int
    height: int

    def image(self) -> Image:
        """(H, W, 3) uint8, BGR. Raises av.error.FFmpegError or ValueError where it cannot be converted."""
        return np.ascontiguousarray(self.frame.to_ndarray(format="bgr24"))


@dataclass(frozen=True, slots=True)
class Broken:
    """A picture that arrived damaged or builds on a damaged one."""

    reason: str


def reason_of(error: BaseException) -> str:
    """What went wrong in words, without addresses."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).strip()


def stream_options(url: str) -> dict[str, str]:
    """How ffmpeg shall open the url: RTSP over TCP and without looking ahead, which would delay the start."""
    scheme = urlsplit(url).scheme.lower() if is_live_url(url) else ""
    if scheme in ("rtsp", "rtsps"):
        return {
            "rtsp_transport": "tcp",
            "allowed_media_types": "video",
            "analyzeduration": "0",
            "probesize": "32",
        }
    if scheme in ("http", "https"):
        return {"analyzeduration": "500000", "probesize": "500000", "fpsprobesize": "0"}
    return {}


class Connection:
    """One open stream or video file. Raises StreamNotOpened; iterating raises StreamLost."""

    def __init__(
        self, url: str, *, open_timeout_s: float = OPEN_TIMEOUT_S, read_timeout_s: float = READ_TIMEOUT_S
    ) -> None:
        self._url = url
        self.is_live = is_live_url(url)
        target = url if self.is_live else f"file:{url}"
        timeouts = (open_timeout_s, read_timeout_s) if self.is_live else None
        try:
            self._container = av.open(target, options=stream_options(url), timeout=timeouts)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise StreamNotOpened(url, reason_of(error)) from error
        if not self._container.streams.video:
            self._container.close()
            raise StreamNotOpened(url, "there is no video in it")
        self._stream = self._container.streams.video[0]
        # One thread a camera: more would hold pictures back and take cores from the other cameras.
        self._stream.codec_context.thread_count = 1
        self._is_jpeg = self._stream.codec_context.name == "mjpeg"
        # The H.264 parser of an RTSP stream knows the end of a picture by the beginning of the next.
        self.holds_one_back = self._container.format.name == "rtsp"
        self.has_times = self._container.format.name not in UNTIMED_FORMATS

    @property
    def duration_s(self) -> float | None:
        """The length of a file where it says so."""
        duration = self._container.duration
        return duration / 1_000_000 if duration and not self.is_live else None

    def pictures(self) -> Iterator[Picture | Broken]:
        """The pictures in order until the stream ends; raises StreamLost where it breaks off."""
        damaged_since_s: float | None = None
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.EOFError):
                return
            except (av.error.FFmpegError, OSError) as error:
                raise StreamLost(self._url, reason_of(error)) from error
            if self._is_jpeg and is_cut_off_jpeg(bytes(packet)):
                yield Broken("the picture is cut off")
                continue
            try:
                frames = self._stream.codec_context.decode(packet if packet.size else None)
            except av.error.EOFError:
                return
            except av.error.FFmpegError as error:
                damaged_since_s = damaged_since_s if damaged_since_s is not None else packet_time(packet)
                yield Broken(reason_of(error))
                continue
            for frame in frames:
                time_s = frame.time
                if frame.is_corrupt:
                    damaged_since_s = time_s or 0.0
                    yield Broken("the picture is damaged")
                elif damaged_since_s is not None and not heals(frame, time_s, damaged_since_s):
                    yield Broken("the picture builds on a damaged one")
                else:
                    damaged_since_s = None
                    pts_s = time_s if self.has_times else None
                    yield Picture(frame, pts_s, frame.width, frame.height)
            if packet.size == 0:
                return

    def close(self) -> None:
        self._container.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def packet_time(packet: Any) -> float:
    return float(packet.pts * packet.time_base) if packet.pts is not None else 0.0


def heals(frame: Any, time_s: float | None, damaged_since_s: float) -> bool:
    """True where this picture no longer builds on the damaged one."""
    if frame.key_frame:
        return True
    return time_s is not None and time_s - damaged_since_s > DAMAGE_LASTS_AT_MOST_S
