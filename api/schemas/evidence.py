"""Answers about evidence: who looked at it, and the key that proves it."""

from __future__ import annotations

from typing import Any, Literal

from api.schemas.fields import Message, Time


class SigningKeyAnswer(Message):
    algorithm: Literal["Ed25519"]
    public_key: str


class EvidenceReadView(Message):
    actor: str
    kind: str
    subject: str
    purpose: str
    read_at: Time


class EvidenceReadsAnswer(Message):
    reads: list[EvidenceReadView]


class ExportAnswer(Message):
    account_id: str
    made_at: Time
    tables: dict[str, list[dict[str, Any]]]


class ErasureView(Message):
    erasure_id: str
    kind: str
    subject: str
    reason: str
    actor: str
    erased: list[str]
    recorded_at: Time


class ErasuresAnswer(Message):
    erasures: list[ErasureView]
