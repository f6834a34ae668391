"""What the service's answer to a message means: sent, again later, or never."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from cameras.outbox import Spooled

# Refused because of the message itself; the same message will be refused again.
FINAL = frozenset({400, 409, 411, 413, 414, 415, 422, 431})
# Not there: final where our service says so in its own words, else somebody else answered.
MISSING = frozenset({404, 405, 410})
# The way to the service is blocked, or this device is not believed, whatever the message.
BLOCKED = frozenset({401, 403, 407, 408, 421, 425, 429, 502, 503, 504, 507, 511})


@dataclass(frozen=True, slots=True)
class Sent:
    """The service has it."""


@dataclass(frozen=True, slots=True)
class LaterAll:
    """Nothing gets through now: everything waits. after_s: what the service asked for, if it did."""

    reason: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class LaterThis:
    """This message, and what follows it in its group, waits; others go on."""

    reason: str


@dataclass(frozen=True, slots=True)
class EvidenceFirst:
    """The service does not have the pictures of this sighting."""

    reason: str


@dataclass(frozen=True, slots=True)
class Never:
    """It can never succeed."""

    reason: str


Verdict = Sent | LaterAll | LaterThis | EvidenceFirst | Never


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. retry_after: the header as it was; skew_s: our clock less the service's, if it said."""

    status: int
    content_type: str
    body: bytes
    retry_after: str = ""
    skew_s: float | None = None


def judge_answer(message: Spooled, answer: Answer) -> Verdict:
    """What to do with the message after this answer."""
    status = answer.status
    said = read_object(answer)
    words = f"{status} {describe(said, answer)}".strip()
    if 200 <= status < 300:
        return judge_success(message, answer, said)
    if status == 422 and message.kind == "sighting" and said.get("code") == "evidence_missing":
        return EvidenceFirst(words)
    if status in FINAL:
        return Never(words)
    if status in MISSING:
        return Never(words) if is_problem(answer, said) else LaterThis(f"{words}; is this the service?")
    if status in BLOCKED:
        if status == 401 and answer.skew_s is not None and abs(answer.skew_s) > 60:
            words += f"; this machine's clock is {answer.skew_s:+.0f} s off the service's"
        return LaterAll(words, retry_after_s(answer.retry_after))
    if 300 <= status < 400:
        return LaterAll(f"{words}; the service has moved, or something else answers for it")
    return LaterThis(words)


def judge_success(message: Spooled, answer: Answer, said: dict[str, Any]) -> Verdict:
    """A 2xx counts only where it speaks of this very message: a portal or a proxy says 200 to anything."""
    if message.kind == "sighting":
        if said.get("sighting_id") == message.message_id:
            return Sent()
        return LaterThis(f"{answer.status}, but not an answer to this sighting")
    key, own = (
        ("sha256", message.evidence) if message.kind == "evidence" else ("sighting_id", message.message_id)
    )
    if answer.status == 204 or said.get(key) == own:
        return Sent()
    return LaterThis(f"{answer.status}, but not an answer to this {message.kind}")


def read_object(answer: Answer) -> dict[str, Any]:
    if "json" not in answer.content_type:
        return {}
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_problem(answer: Answer, said: dict[str, Any]) -> bool:
    return answer.content_type.startswith("application/problem+json") and "code" in said


def describe(said: dict[str, Any], answer: Answer) -> str:
    words = [str(said[key]) for key in ("code", "detail", "title") if said.get(key)]
    if not words and "text/plain" in answer.content_type:
        words = [answer.body[:120].decode("utf-8", "replace")]
    return " ".join(": ".join(words[:2]).split())[:300]


def retry_after_s(header: str) -> float | None:
    """The seconds of a Retry-After header, at most five minutes."""
    return min(300.0, float(header)) if header.isascii() and header.isdigit() else None
