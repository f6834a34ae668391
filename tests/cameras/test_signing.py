"""The device signature: vectors made with `openssl dgst -sha256 -hmac`, and what must change it."""

from __future__ import annotations

import pytest

from cameras.signing import canonical, sign, signature

NONCE = "00112233445566778899aabbccddeeff"
VECTORS = [
    (
        (b"a test key", "POST", "/v1/sightings?dry=1", b'{"a":1}', "camera-1", 1700000000, NONCE),
        "85391cf7cfbbfc2a9c834345fffd94336db6917c80ddf1c245e1158ed049c9a6",
    ),
    (
        (b"k", "PUT", "/v1/evidence/", b"", "机位", 0, "0" * 32),
        "50f26c7205077704a5bdeb091eb508b1284e0d9bfc6abf4f3c23b1ca45a13304",
    ),
]


@pytest.mark.parametrize(("arguments", "expected"), VECTORS)
def test_signature_equals_the_one_openssl_makes(arguments, expected):
    assert signature(*arguments) == expected


def test_canonical_text_is_six_lines():
    text = canonical("post", "/v1/sales", b"", "pump-1", 12, "ab").decode()
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert text.split("\n") == ["POST", "/v1/sales", empty, "12", "ab", "pump-1"]


def test_sign_gives_the_four_headers():
    arguments, expected = VECTORS[0]
    assert sign(*arguments) == {
        "Platepay-Device": "camera-1",
        "Platepay-Timestamp": "1700000000",
        "Platepay-Nonce": NONCE,
        "Platepay-Signature": expected,
    }


@pytest.mark.parametrize(
    ("position", "other"),
    [
        (0, b"other key"),
        (1, "PUT"),
        (2, "/v1/sightings"),
        (3, b'{"a":2}'),
        (4, "camera-2"),
        (5, 1700000001),
        (6, "f" * 32),
    ],
)
def test_every_signed_field_changes_the_signature(position, other):
    arguments, expected = VECTORS[0]
    changed = list(arguments)
    changed[position] = other
    assert signature(*changed) != expected


def test_a_line_break_in_a_field_is_refused():
    with pytest.raises(ValueError, match="line break"):
        signature(b"k", "POST", "/v1/sales\n", b"", "pump-1", 1, "00")


def test_an_empty_key_is_refused():
    with pytest.raises(ValueError, match="key is empty"):
        signature(b"", "POST", "/v1/sales", b"", "pump-1", 1, "00")
