"""Answers about evidence: who looked at it, and the key that proves it."""

from __future__ import annotations

from typing import Any, Literal

from api.schemas.fields import Message, Time
from api.schemas.operators import example

ACCOUNT_ID = "019aa6ee-1b07-75aa-b1c0-8a7c35e2f0d3"
PUBLIC_KEY = "b526d6b68cfc8c63f2cd54234dff120f3af5cbbdecb7cd9e34ef2922a7e00a67"
READ = {
    "actor": "wang",
    "kind": "picture",
    "subject": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "purpose": "review",
    "read_at": "2026-11-21T08:05:10.000Z",
}
ERASURE = {
    "erasure_id": "019aa7f0-1b07-75aa-b1c0-8a7c35e2f0d3",
    "kind": "account",
    "subject": ACCOUNT_ID,
    "reason": "asked for by the customer",
    "actor": "wang",
    "erased": ["accounts", "vehicles"],
    "recorded_at": "2026-11-21T09:00:00.000Z",
}
EXPORT = {
    "account_id": ACCOUNT_ID,
    "made_at": "2026-11-21T09:00:00.000Z",
    "tables": {"vehicles": [{"plate": "粤B12345", "colour": "blue"}]},
}


class SigningKeyAnswer(Message):
    model_config = example(algorithm="Ed25519", public_key=PUBLIC_KEY)

    algorithm: Literal["Ed25519"]
    public_key: str


class EvidenceReadView(Message):
    actor: str
    kind: str
    subject: str
    purpose: str
    read_at: Time


class EvidenceReadsAnswer(Message):
    model_config = example(reads=[READ])

    reads: list[EvidenceReadView]


class ExportAnswer(Message):
    model_config = example(**EXPORT)

    account_id: str
    made_at: Time
    tables: dict[str, list[dict[str, Any]]]


class ErasureView(Message):
    model_config = example(**ERASURE)

    erasure_id: str
    kind: str
    subject: str
    reason: str
    actor: str
    erased: list[str]
    recorded_at: Time


class ErasuresAnswer(Message):
    model_config = example(erasures=[ERASURE])

    erasures: list[ErasureView]
