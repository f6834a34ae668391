"""What several camera tests need: small films, a service that can be told to fail, sightings."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from cameras.config import CameraConfig
from cameras.signing import signature
from vision.types import Detection, Frame, PlateText, Reading, Sighting

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
KEY = b"a device key"
DEADLINE_S = 20.0


def camera(url: str | Path, **values: Any) -> CameraConfig:
    return CameraConfig(name="lane-1", station="demo", url=str(url), **values)


def picture(seed: int = 0, width: int = 320, height: int = 180, level: int = 120) -> np.ndarray:
    """A picture with something in it, different for each seed."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), level, np.uint8)
    x, y = int(rng.integers(0, width - 60)), int(rng.integers(0, height - 60))
    image[y : y + 60, x : x + 60] = rng.integers(0, 255, 3)
    return image


def write_film(
    path: Path, images: list[np.ndarray], rate: int = 10, every: int = 10, times: list[int] | None = None
) -> Path:
    """An H.264 mp4 of these pictures, a keyframe each `every`; times: of the pictures, in ticks."""
    height, width = images[0].shape[:2]
    with av.open(str(path), "w", format="mp4") as container:
        options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "x264-params": f"keyint={every}:min-keyint={every}:scenecut=0",
        }
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, rate)
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts = index if times is None else times[index]
            frame.time_base = Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def frame(image: np.ndarray | None = None, at_s: float = 0.0, number: int = 0) -> Frame:
    return Frame(picture() if image is None else image, START + timedelta(seconds=at_s), "lane-1", number)


def sighting(track: int = 1, text: str | None = "粤B12345", seed: int = 0) -> Sighting:
    positions = tuple(((letter, 0.998), ("8", 0.0012)) for letter in text or "")
    plate = PlateText(text, "blue", 0.99, positions, 0.98)
    corners = np.array([[10, 10], [60, 10], [60, 30], [10, 30]], np.float32)
    crop = picture(seed + 1000, 168, 64)
    best = Reading(3, START, Detection(corners, 0.9), plate, 0.8, crop)
    return Sighting(
        track=track,
        camera="lane-1",
        text=text,
        colour="blue",
        positions=positions,
        wrong_ppm=1200,
        looks=8,
        zone="1",
        first_seen_at=START,
        last_seen_at=START + timedelta(seconds=2),
        best=best,
        frame=picture(seed),
    )


@dataclass(frozen=True)
class Received:
    """One request the fake service took."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Reply = tuple[int, dict[str, str], bytes]


def good_reply(request: Received) -> Reply:
    """What the real service answers."""
    if request.method == "PUT":
        sha256 = request.path.rsplit("/", 1)[-1]
        assert hashlib.sha256(request.body).hexdigest() == sha256
        said: dict[str, Any] = {"sha256": sha256, "bytes": len(request.body)}
    elif request.path.endswith("/health"):
        said = {"camera": "lane-1", "state": "ok"}
    else:
        said = {"sighting_id": request.json()["sighting_id"]}
    return 201, {"Content-Type": "application/json"}, json.dumps(said).encode()


def problem(status: int, code: str) -> Reply:
    body = json.dumps({"type": "about:blank", "title": code, "status": status, "code": code, "detail": "x"})
    return status, {"Content-Type": "application/problem+json"}, body.encode()


@dataclass
class FakeService:
    """A real HTTP server on loopback that answers as `reply` says; checks every signature and nonce."""

    reply: Callable[[Received], Reply] = good_reply
    received: list[Received] = field(default_factory=list)
    bad_signatures: int = 0
    port: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)
    nonces: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def take(self, request: Received) -> Reply:
        headers = request.headers
        expected = signature(
            KEY, request.method, request.path, request.body, headers["platepay-device"],
            int(headers["platepay-timestamp"]), headers["platepay-nonce"],
        )  # fmt: skip
        with self.changed:
            if expected != headers["platepay-signature"] or headers["platepay-nonce"] in self.nonces:
                self.bad_signatures += 1
            self.nonces.add(headers["platepay-nonce"])
            self.received.append(request)
            self.changed.notify_all()
        return self.reply(request)

    def wait_for(self, condition: Callable[[list[Received]], bool], timeout_s: float = DEADLINE_S) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: condition(self.received), timeout_s)

    def bodies(self, path: str) -> list[Any]:
        with self.changed:
            return [request.json() for request in self.received if request.path == path]


@contextmanager
def serving(service: FakeService) -> Iterator[FakeService]:
    """Runs the service; its port stays the same when it is run again."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {key.lower(): value for key, value in self.headers.items()}
            try:
                status, answer_headers, answer = service.take(
                    Received(self.command, self.path, headers, body)
                )
            except ConnectionAbortedError:
                self.close_connection = True
                return
            self.send_response(status)
            for key, value in answer_headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_PUT = do_POST  # noqa: N815 - the name is that of http.server

        def log_message(self, *_: Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        allow_reuse_address = True

    server = Server(("127.0.0.1", service.port), Handler)
    service.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
