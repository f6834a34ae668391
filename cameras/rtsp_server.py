"""Serves films as real RTSP streams on loopback: H.264 over interleaved TCP, paced by the film's own times.

The protocol is aio-rtsp-toolkit's; what differs here is what a camera does and a file server does not: all
clients share the camera's clock (who joins late or comes back sees what happens then), and at its end the
stream goes on with its last second instead of starting the day again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import av
from aio_rtsp_toolkit.server import RtspServer as FileServer  # type: ignore[import-untyped]
from aio_rtsp_toolkit.server_session import RtspServerSession  # type: ignore[import-untyped]

from cameras.errors import RtspServerError

log = logging.getLogger(__name__)

AtEnd = Literal["hold", "end"]
CLOSE_TIMEOUT_S = 5.0
# How much of a film's end is repeated: a whole turn of the light that blinks in the picture.
HELD_S = 1.0
# Players take an RTP time of 0 for "none yet" and count from the second picture.
FIRST_RTP_TIME_S = 1.0


@dataclass(frozen=True, slots=True)
class FilmPacket:
    """One coded picture; time_s counts from the start of the film."""

    time_s: float
    duration_s: float
    is_key: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Film:
    """A film in its coded form, and how long it is."""

    packets: tuple[FilmPacket, ...]
    length_s: float

    def from_key(self, start_s: float, at_end: AtEnd) -> Iterator[FilmPacket]:
        """The packets from the first keyframe at or after start_s; for ever where at_end is "hold".

        Past the end the last group of pictures is repeated with times that go on.
        """
        started = False
        for packet in self.packets:
            started = started or (packet.is_key and packet.time_s >= start_s - 1e-6)
            if started:
                yield packet
        if at_end == "end":
            return
        group = self.last_group()
        first_s = group[0].time_s
        step_s = self.length_s - first_s
        turn = 1 if started else max(1, int((start_s - first_s) / step_s) + 1)
        while True:
            for packet in group:
                yield FilmPacket(packet.time_s + turn * step_s, packet.duration_s, packet.is_key, packet.data)
            turn += 1

    def last_group(self) -> tuple[FilmPacket, ...]:
        """The end of the film, from a keyframe on: the shortest that lasts HELD_S, or all of it."""
        keys = [index for index, packet in enumerate(self.packets) if packet.is_key]
        long_enough = [key for key in keys if self.length_s - self.packets[key].time_s >= HELD_S - 1e-6]
        return self.packets[max(long_enough, default=0) :]


def load_film(path: Path) -> Film:
    """Reads the coded pictures of a video file into memory."""
    packets: list[FilmPacket] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        step_s = float(1 / (stream.average_rate or 25))
        for packet in container.demux(stream):
            if packet.pts is None or packet.size == 0:
                continue
            time_s = float(packet.pts * packet.time_base)
            duration_s = float(packet.duration * packet.time_base) if packet.duration else step_s
            packets.append(FilmPacket(time_s, duration_s, bool(packet.is_keyframe), bytes(packet)))
    if not packets or not packets[0].is_key:
        raise RtspServerError(f"{path.name}: a film must start with a keyframe")
    return Film(tuple(packets), packets[-1].time_s + packets[-1].duration_s)


class QuietLogger:
    """Takes what the library would print and hands it to logging."""

    def log(self, level: str, message: str, **_: Any) -> None:
        log.debug("%s %s", level, message)

    def debug(self, message: str, **_: Any) -> None:
        self.log("debug", message)

    info = warning = error = critical = debug


class FilmSession(RtspServerSession):  # type: ignore[misc]
    """One client: the library speaks RTSP and RTP, the film and its clock are ours."""

    server: FilmServer

    async def _stream_media(self) -> None:
        try:
            await self._send_film()
            await self._send_rtcp_bye()
            await self._close_transport()
        except (OSError, EOFError) as error:
            log.debug("a client of the simulated camera is gone: %s", error)

    async def _send_film(self) -> None:
        path = self.media_source.file_path
        state = next(state for state in self.track_states.values() if state.rtp_channel is not None)
        film = await asyncio.to_thread(self.server.film, path)
        now = time.perf_counter()
        zero = self.server.zero_of(path.name)
        first_s: float | None = None
        for packet in film.from_key(now - zero, self.server.at_end):
            if self.closed:
                return
            if first_s is None:
                first_s = packet.time_s
                state.first_send_time = zero + first_s - FIRST_RTP_TIME_S
            rtp_time_s = packet.time_s - first_s + FIRST_RTP_TIME_S
            await self._send_video_packet(state, packet.data, rtp_time_s, packet.duration_s, packet.is_key)

    def kill(self) -> None:
        """Breaks the connection off as a power cut would."""
        self.closed = True
        if self.stream_task is not None:
            self.stream_task.cancel()
        if self.timeout_task is not None:
            self.timeout_task.cancel()
        self.sock.writer.transport.abort()


class FilmServer(FileServer):  # type: ignore[misc]
    """The library's server with film sessions; lives in one event loop."""

    def __init__(self, folder: Path, port: int, at_end: AtEnd, *, shared_clock: bool) -> None:
        super().__init__(str(folder), host="127.0.0.1", port=port)
        self.logger = QuietLogger()
        self.at_end: AtEnd = at_end
        self._shared_clock = shared_clock
        self._films: dict[tuple[Path, int], Film] = {}
        self._zeros: dict[str, float] = {}
        self._first_play: dict[str, float] = {}
        self._played = threading.Condition()
        self._sessions: set[FilmSession] = set()

    async def _handle_client(self, sock: Any) -> None:
        session = FilmSession(self, sock)
        self._sessions.add(session)
        try:
            await session.run()
        except (OSError, EOFError) as error:
            log.debug("a client of the simulated camera is gone: %s", error)
        except asyncio.CancelledError:
            # Only the end of the server cancels; the stream callback would print the cancellation.
            session.kill()
        finally:
            self._sessions.discard(session)

    def film(self, path: Path) -> Film:
        """The film of this file; films stay in memory while the server lives."""
        key = (path, path.stat().st_mtime_ns)
        if key not in self._films:
            self._films = {known: film for known, film in self._films.items() if known[0] != path}
            self._films[key] = load_film(path)
        return self._films[key]

    def zero_of(self, name: str) -> float:
        """When second 0 of the film was or is, on the clock of perf_counter; notes a first PLAY."""
        now = time.perf_counter()
        with self._played:
            if name not in self._first_play:
                self._first_play[name] = time.monotonic()
                self._zeros[name] = now
                self._played.notify_all()
            return self._zeros[name] if self._shared_clock else now

    def wait_for_play(self, name: str, timeout_s: float) -> float:
        with self._played:
            if not self._played.wait_for(lambda: name in self._first_play, timeout_s):
                raise RtspServerError(f"nobody played {name} within {timeout_s:g} s")
            return self._first_play[name]

    @property
    def bound_port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def client_count(self) -> int:
        return len(self._sessions)

    def drop_clients(self) -> None:
        for session in list(self._sessions):
            session.kill()


class RtspServer:
    """A simulated camera: `with RtspServer(folder) as server:` serves the films of a folder from a thread.

    port: 0 takes a free one. at_end: "hold" repeats the last second of a film for ever, "end" closes the
    stream. shared_clock: False starts the film anew for every client.
    """

    def __init__(
        self, folder: Path, port: int = 0, *, at_end: AtEnd = "hold", shared_clock: bool = True
    ) -> None:
        self._folder = folder
        self._wanted_port = port
        self._at_end: AtEnd = at_end
        self._shared_clock = shared_clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: FilmServer | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    def __enter__(self) -> RtspServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Starts to serve; raises RtspServerError where the port cannot be had."""
        self._thread = threading.Thread(target=self._run, name="simulated-camera", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise RtspServerError(f"the simulated camera does not start: {self._failure}") from self._failure

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        self._loop = loop
        try:
            self._server = FilmServer(
                self._folder, self._wanted_port, self._at_end, shared_clock=self._shared_clock
            )
            loop.run_until_complete(self._server.start())
        except OSError as error:
            self._failure = error
            loop.close()
            self._ready.set()
            return
        self._ready.set()
        try:
            loop.run_forever()
        finally:
            loop.run_until_complete(self._end(self._server))
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    async def _end(self, server: FilmServer) -> None:
        server.drop_clients()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(OSError):
            await server.close()

    def close(self) -> None:
        """Stops at once and breaks every connection off."""
        if self._loop is None or self._thread is None or not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_TIMEOUT_S)

    def drop_clients(self) -> None:
        """Breaks every connection off and goes on serving."""
        loop, server = self._parts()
        loop.call_soon_threadsafe(server.drop_clients)

    @property
    def port(self) -> int:
        return self._parts()[1].bound_port

    @property
    def client_count(self) -> int:
        return self._parts()[1].client_count

    def url(self, name: str) -> str:
        """The address of one film, such as rtsp://127.0.0.1:40001/forecourt.mp4."""
        return f"rtsp://127.0.0.1:{self.port}/{name}"

    def wait_for_play(self, name: str, timeout_s: float) -> float:
        """time.monotonic() at second 0 of the film: when its first client began to play it.

        Raises RtspServerError where nobody does in time.
        """
        return self._parts()[1].wait_for_play(name, timeout_s)

    def _parts(self) -> tuple[asyncio.AbstractEventLoop, FilmServer]:
        if self._loop is None or self._server is None:
            raise RtspServerError("the simulated camera is not started")
        return self._loop, self._server
