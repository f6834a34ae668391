"""Carries the outbox to the service: signed, in order, for as long as it takes."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from cameras.answers import Answer, EvidenceFirst, LaterAll, LaterThis, Never, Sent, Verdict, judge_answer
from cameras.backoff import Backoff
from cameras.config import ServiceLink
from cameras.evidence import EvidenceStore
from cameras.outbox import LONGEST_WAIT_S, Outbox, Spooled
from cameras.signing import sign

log = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
LARGEST_ANSWER_BYTES = 1_000_000
GROUP_BACKOFF_LIMIT_S = 60.0
IDLE_S = 30.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class SenderCounts:
    """Since the start. failing: why nothing gets through now, empty where it does."""

    sent: int = 0
    retries: int = 0
    set_aside: int = 0
    health_sent: int = 0
    failing: str = ""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The latest health of a camera, ready to send."""

    path: str
    body: bytes


def make_client(link: ServiceLink) -> httpx.Client:
    """A client for the service; proxies of the environment count unless it is on this machine."""
    is_local = (urlsplit(link.url).hostname or "") in LOOPBACK
    return httpx.Client(timeout=TIMEOUT, trust_env=not is_local, follow_redirects=False)


class OutboxSender:
    """Sends what the outbox holds, from a thread of its own. nonce: 32 hex characters, new each call."""

    def __init__(
        self,
        outbox: Outbox,
        evidence: EvidenceStore,
        link: ServiceLink,
        backoff: Backoff,
        *,
        client: httpx.Client | None = None,
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._outbox = outbox
        self._evidence = evidence
        self._link = link
        self._backoff = backoff
        self._client = client or make_client(link)
        self._clock = clock
        self._nonce = nonce
        self._prefix = urlsplit(link.url).path.rstrip("/")
        self._origin = link.url[: len(link.url) - len(self._prefix)] if self._prefix else link.url
        self._blocked_until_s = 0.0
        self._counts = SenderCounts()
        self._health: HealthReport | None = None
        self._lock = threading.Condition()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def counts(self) -> SenderCounts:
        with self._lock:
            return self._counts

    def wait_until(self, condition: Callable[[SenderCounts], bool], timeout_s: float) -> bool:
        """Waits until the counts fulfil the condition; False where they do not in time."""
        with self._lock:
            return self._lock.wait_for(lambda: condition(self._counts), timeout_s)

    def report_health(self, report: HealthReport) -> None:
        """Sends this health when it can; a newer one replaces one that waits."""
        with self._lock:
            self._health = report
        self._outbox.wake()

    def start(self) -> None:
        self._thread = threading.Thread(target=self.run, name="outbox-sender", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 15.0) -> None:
        """Ends the thread after the request under way."""
        self._stop.set()
        self._outbox.wake()
        if self._thread is not None:
            self._thread.join(timeout_s)
        self._client.close()

    def run(self) -> None:
        """Sends until stopped; nothing that happens here ends it."""
        while not self._stop.is_set():
            additions = self._outbox.additions
            try:
                wait_s = self.step()
            except Exception:
                log.exception("the outbox sender failed; it goes on")
                wait_s = self._backoff.next_s()
            if wait_s > 0 and not self._stop.is_set():
                self._pause(wait_s, additions)

    def step(self) -> float:
        """Sends one message if one is due; gives the seconds until there may be something to do."""
        now_s = self._clock()
        if self._blocked_s(now_s) > 0:
            return self._blocked_s(now_s)
        self._send_health()
        if self._blocked_s(now_s) > 0:
            return self._blocked_s(now_s)
        message = self._outbox.next_due(now_s)
        if message is not None:
            self._act(message, self._deliver(message))
            return 0.0
        due_s = self._outbox.next_due_at()
        return IDLE_S if due_s is None else min(IDLE_S, max(0.01, due_s - now_s))

    def _blocked_s(self, now_s: float) -> float:
        """How long nothing is to be tried; a wait longer than any comes from a clock that was set back."""
        left_s = self._blocked_until_s - now_s
        return left_s if 0 < left_s <= LONGEST_WAIT_S else 0.0

    def _pause(self, wait_s: float, additions: int) -> None:
        if self._blocked_s(self._clock()) > 0:
            # New messages do not end a wait for the service; only a stop does.
            self._stop.wait(wait_s)
            return
        self._outbox.wait_for_addition(additions, wait_s)

    def _deliver(self, message: Spooled) -> Verdict:
        if message.evidence is None:
            return self._exchange(message, "POST", message.body or b"", "application/json")
        picture = self._evidence.get(message.evidence)
        if picture is None:
            return Never("the picture is no longer in the evidence folder")
        return self._exchange(message, "PUT", picture, "image/jpeg")

    def _exchange(self, message: Spooled, method: str, body: bytes, content_type: str) -> Verdict:
        try:
            answer = self._request(method, message.path, body, content_type)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return LaterAll(f"{self._link.url} does not answer: {error or type(error).__name__}")
        return judge_answer(message, answer)

    def _request(self, method: str, path: str, body: bytes, content_type: str) -> Answer:
        full_path = self._prefix + path
        now_s = self._clock()
        headers = sign(self._link.key, method, full_path, body, self._link.device, int(now_s), self._nonce())
        headers["Content-Type"] = content_type
        with self._client.stream(method, self._origin + full_path, content=body, headers=headers) as response:
            found = b""
            for part in response.iter_bytes():
                found += part
                if len(found) > LARGEST_ANSWER_BYTES:
                    break
            return Answer(
                status=response.status_code,
                content_type=response.headers.get("content-type", ""),
                body=found,
                retry_after=response.headers.get("retry-after", ""),
                skew_s=clock_skew_s(response.headers.get("date", ""), now_s),
            )

    def _act(self, message: Spooled, verdict: Verdict) -> None:
        match verdict:
            case Sent():
                self._outbox.sent(message)
                self._note_through(sent=1)
            case LaterAll(reason, after_s):
                self._block(reason, after_s)
                self._outbox.try_again(message, 0.0, reason)
                self._count(retries=1)
            case LaterThis(reason):
                self._outbox.try_again(message, self._clock() + group_wait_s(message.attempts), reason)
                log.warning("%s %s: %s; tried again later", message.kind, message.message_id, reason)
                self._count(retries=1)
            case EvidenceFirst(reason):
                due_s = self._clock() + (0.0 if message.attempts == 0 else group_wait_s(message.attempts))
                if self._outbox.send_evidence_again(message, due_s, reason):
                    self._count(retries=1)
                else:
                    self._set_aside(message, reason)
            case Never(reason):
                self._set_aside(message, reason)

    def _set_aside(self, message: Spooled, reason: str) -> None:
        self._outbox.set_aside(message, reason)
        log.error("%s %s is set aside: %s", message.kind, message.message_id, reason)
        self._count(set_aside=1)

    def _send_health(self) -> None:
        with self._lock:
            report, self._health = self._health, None
        if report is None:
            return
        try:
            answer = self._request("POST", report.path, report.body, "application/json")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            self._block(f"{self._link.url} does not answer: {error or type(error).__name__}", None)
            return
        if 200 <= answer.status < 300:
            self._note_through(health_sent=1)
        else:
            log.warning("the health report was answered %d: %r", answer.status, answer.body[:200])

    def _block(self, reason: str, after_s: float | None) -> None:
        wait_s = max(self._backoff.next_s(), after_s or 0.0)
        self._blocked_until_s = self._clock() + wait_s
        with self._lock:
            is_new = not self._counts.failing
            self._counts = replace(self._counts, failing=reason)
            self._lock.notify_all()
        log.log(logging.WARNING if is_new else logging.DEBUG, "nothing reaches the service: %s", reason)

    def _note_through(self, sent: int = 0, health_sent: int = 0) -> None:
        self._backoff.reset()
        with self._lock:
            was_failing = self._counts.failing
            self._counts = replace(
                self._counts,
                sent=self._counts.sent + sent,
                health_sent=self._counts.health_sent + health_sent,
                failing="",
            )
            self._lock.notify_all()
        if was_failing:
            log.info("the service answers again")

    def _count(self, retries: int = 0, set_aside: int = 0) -> None:
        with self._lock:
            self._counts = replace(
                self._counts,
                retries=self._counts.retries + retries,
                set_aside=self._counts.set_aside + set_aside,
            )
            self._lock.notify_all()


def group_wait_s(attempts: int) -> float:
    """How long a group waits after this many failed attempts."""
    return min(GROUP_BACKOFF_LIMIT_S, 2.0 ** min(attempts, 10))


def clock_skew_s(date: str, now_s: float) -> float | None:
    """How far our clock is ahead of the one in a Date header, in seconds."""
    try:
        return now_s - parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None
