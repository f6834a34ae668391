"""Films a simulated forecourt: script in, H.264 file out."""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

import vision.plate_art
from cameras import forecourt, forecourt_art
from cameras.forecourt import FRAMES_PER_SECOND, HEIGHT_PX, WIDTH_PX, Script, check_script, place_of
from vision.types import Image

Progress = Callable[[int, int], None]

# A keyframe each second: a client that joins late, and the part that is repeated at the end, start at one.
KEYFRAME_EVERY = FRAMES_PER_SECOND
NOISE_LEVELS = 0.8
NOISE_FIELDS = 5
FILMS_KEPT_S = 7 * 86_400
ENCODER = {
    "preset": "ultrafast",
    "tune": "zerolatency",
    "crf": "23",
    "x264-params": f"keyint={KEYFRAME_EVERY}:min-keyint={KEYFRAME_EVERY}:scenecut=0:threads=1",
}


class Scene:
    """Draws the script's picture at any second; pictures without motion are drawn once."""

    def __init__(self, script: Script) -> None:
        self._script = script
        rng = np.random.default_rng(script.seed)
        self._background = forecourt_art.draw_background(rng)
        self._sprites = [forecourt_art.draw_car(car, rng) for car in script.cars]
        self._still: tuple[tuple[object, ...], Image] | None = None

    @functools.cached_property
    def _noise(self) -> list[npt.NDArray[np.int16]]:
        rng = np.random.default_rng((self._script.seed, 1))
        size = (HEIGHT_PX, WIDTH_PX)
        return [rng.normal(0.0, NOISE_LEVELS, size).round().astype(np.int16) for _ in range(NOISE_FIELDS)]

    def picture(self, at_s: float) -> Image:
        """The clean picture: (720, 1280, 3) uint8, BGR; not to be changed."""
        places = [(index, place_of(car, at_s)) for index, car in enumerate(self._script.cars)]
        seen = sorted(
            ((index, place) for index, place in places if place is not None), key=lambda item: item[1].y
        )
        shown = (*seen, int(at_s * 2) % 2)
        if self._still is not None and self._still[0] == shown:
            return self._still[1]
        picture = self._background.copy()
        for index, place in seen:
            forecourt_art.paste(picture, self._sprites[index], place.x, place.y)
        forecourt_art.draw_overlay(picture, lit=int(at_s * 2) % 2 == 0)
        self._still = (shown, picture)
        return picture

    def planes(self, frame_number: int) -> npt.NDArray[np.uint8]:
        """The picture of that frame as a camera sends it, with sensor noise: I420 planes, (1080, 1280)."""
        picture = self.picture(frame_number / FRAMES_PER_SECOND)
        size = (self._script.width_px, self._script.height_px)
        noise = self._noise[frame_number % NOISE_FIELDS]
        if size != (WIDTH_PX, HEIGHT_PX):
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
            noise = np.ascontiguousarray(noise[: size[1], : size[0]])
        planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8)
        luma = planes[: size[1]]
        cv2.add(luma, noise, dst=luma, dtype=cv2.CV_8U)
        return planes


def render_forecourt(script: Script, path: Path, progress: Progress | None = None) -> Path:
    """Films the script into an mp4 with H.264 at FRAMES_PER_SECOND; the file appears when it is whole.

    progress: called with frames done and frames in all. Raises ScriptError.
    """
    check_script(script)
    scene = Scene(script)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part.mp4")
    os.close(handle)
    unfinished = Path(name)
    try:
        encode(scene, script, unfinished, progress)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def encode(scene: Scene, script: Script, path: Path, progress: Progress | None) -> None:
    count = script.frame_count
    tick = Fraction(1, FRAMES_PER_SECOND)
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=ENCODER)
        stream.width, stream.height = script.width_px, script.height_px
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = tick
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(scene.planes(number), format="yuv420p")
            frame.pts = number
            frame.time_base = tick
            container.mux(stream.encode(frame))
            if progress is not None:
                progress(number + 1, count)
        container.mux(stream.encode(None))


def rendered(script: Script, folder: Path | None = None, progress: Progress | None = None) -> Path:
    """The film of this script, made now or found from an earlier time.

    folder: where films are kept; None is a folder of this user in the system's place for caches.
    """
    check_script(script)
    folder = folder or film_cache()
    path = folder / f"forecourt-{script.digest()[:16]}-{drawing_digest()}.mp4"
    if path.is_file() and path.stat().st_size > 0:
        os.utime(path)
        if progress is not None:
            progress(script.frame_count, script.frame_count)
        return path
    forget_old_films(folder)
    return render_forecourt(script, path, progress)


def forget_old_films(folder: Path) -> None:
    """Deletes films nobody has asked for in a week."""
    before_s = time.time() - FILMS_KEPT_S
    for old in folder.glob("*.mp4"):
        try:
            if old.stat().st_mtime < before_s:
                old.unlink()
        except FileNotFoundError:
            continue


def film_cache() -> Path:
    """A folder for films that belongs to this user."""
    base = os.environ.get("XDG_CACHE_HOME")
    home = Path(base) if base else Path.home() / ".cache"
    folder = home / "platepay" / "films"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="platepay-films-"))
    return folder


@functools.cache
def drawing_digest() -> str:
    """Changes with the code and glyphs that draw the films, so that no old film is shown for a new one."""
    digest = hashlib.sha256(repr(ENCODER).encode())
    art = Path(str(vision.plate_art.__file__))
    files = [Path(str(module.__file__)) for module in (forecourt, forecourt_art)]
    files += [
        Path(__file__),
        art,
        *sorted(path for path in vision.plate_art.ASSETS.rglob("*") if path.is_file()),
    ]
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
