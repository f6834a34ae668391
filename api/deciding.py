"""Who decides: the code and the rules that turn a reading into a decision, under one hash.

The hash is kept with every match, so that a later replay can say whether it decides by the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from importlib import import_module
from pathlib import Path

from wallet import objections
from wallet.deciding import DeciderFact
from wallet.fingerprint import body_hash
from wallet.rules import Rules

# Every module whose text can change a decision about a stored sighting.
DECIDING = (
    "vision.confusion",
    "vision.posterior",
    "wallet.decide",
    "wallet.habits",
    "wallet.money",
    "wallet.objections",
    "wallet.plates",
    "wallet.replaying",
    "wallet.rules",
)


def decider(rules: Rules, configuration: Mapping[str, object], now: datetime) -> DeciderFact:
    """The running code with these rules. configuration: what else decides, such as the prior."""
    code = code_sha256()
    identity = body_hash({"code": code, "rules": asdict(rules), "configuration": dict(configuration)})
    return DeciderFact(identity, code, asdict(rules), dict(configuration), now)


def code_sha256() -> str:
    """SHA-256 over the texts of the deciding modules, and of those that may object."""
    names = {*DECIDING, *(objection.__module__ for objection in objections.OBJECTIONS)}
    told = hashlib.sha256()
    for name in sorted(names):
        told.update(f"{name}\n".encode())
        told.update(hashlib.sha256(_text(name)).digest())
    return told.hexdigest()


def _text(name: str) -> bytes:
    file = import_module(name).__file__
    if file is None:
        raise RuntimeError(f"{name} has no text to hash")
    return Path(file).read_bytes()
