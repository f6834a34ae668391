"""Signatures that anybody can check: Ed25519, its private key derived from the service's secret."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class Signer:
    """Signs with a key made of 32 bytes that nobody else has."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_key(self) -> str:
        """What checks the signatures, in hex; it may be shown to everybody."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, text: bytes) -> str:
        """The signature in hex."""
        return self._key.sign(text).hex()


def is_signed(text: bytes, signature: str, public_key: str) -> bool:
    """Whether the owner of this public key signed the text; False for what is no key or no signature."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), text)
    except (ValueError, InvalidSignature):
        return False
    return True


def key_id(public_key: str) -> str:
    """A short name for a public key, to compare by eye."""
    return hashlib.sha256(public_key.encode()).hexdigest()[:16]
