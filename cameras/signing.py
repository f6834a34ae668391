"""The signature a device puts on each request, and what the service computes to check it.

The signed text is six lines joined by a line feed: method, path with its query, SHA-256 of the body in
hex, unix time in seconds, nonce, device. The signature is its HMAC-SHA256 with the device's key, in
lower-case hex.
"""

from __future__ import annotations

import hashlib
import hmac

DEVICE_HEADER = "Platepay-Device"
TIMESTAMP_HEADER = "Platepay-Timestamp"
NONCE_HEADER = "Platepay-Nonce"
SIGNATURE_HEADER = "Platepay-Signature"


def body_sha256(body: bytes) -> str:
    """The SHA-256 of a request body in lower-case hex."""
    return hashlib.sha256(body).hexdigest()


def canonical(method: str, path: str, body: bytes, device: str, timestamp: int, nonce: str) -> bytes:
    """The bytes that are signed.

    method: any case; signed in upper case.
    path: as it stands in the request line, with the query.
    Raises ValueError where a field would break into another line.
    """
    lines = (method.upper(), path, body_sha256(body), str(timestamp), nonce, device)
    for line in lines:
        if "\n" in line or "\r" in line:
            raise ValueError(f"a signed field holds a line break: {line!r}")
    return "\n".join(lines).encode()


def signature(
    key: bytes, method: str, path: str, body: bytes, device: str, timestamp: int, nonce: str
) -> str:
    """The HMAC-SHA256 of the request in lower-case hex. Compare it with hmac.compare_digest."""
    if not key:
        raise ValueError("the device key is empty")
    return hmac.new(key, canonical(method, path, body, device, timestamp, nonce), hashlib.sha256).hexdigest()


def sign(
    key: bytes, method: str, path: str, body: bytes, device: str, timestamp: int, nonce: str
) -> dict[str, str]:
    """The four headers to send with the request.

    timestamp: unix seconds. nonce: 32 hex characters, new for each attempt.
    """
    return {
        DEVICE_HEADER: device,
        TIMESTAMP_HEADER: str(timestamp),
        NONCE_HEADER: nonce,
        SIGNATURE_HEADER: signature(key, method, path, body, device, timestamp, nonce),
    }
