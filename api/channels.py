"""Payment channels: whoever says that money has come in must prove it, the sandbox like a real one."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from pydantic import ValidationError

from api.errors import BadCallbackSignature, NotJson, ReplayedCallback, StaleCallback
from api.nonces import NonceStore
from api.schemas.operators import CallbackMessage
from api.whole_numbers import refuse_floats
from wallet.facts import ChannelPayment

WINDOW_S = 300

TIMESTAMP_HEADER = "Platepay-Channel-Timestamp"
NONCE_HEADER = "Platepay-Channel-Nonce"
SIGNATURE_HEADER = "Platepay-Channel-Signature"


class Channel(Protocol):
    """One way money comes in. A new channel (WeChat Pay, Alipay) is one more of these, built in wiring."""

    @property
    def name(self) -> str:
        """As it stands in the address of its callbacks and in recharge orders."""

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> ChannelPayment:
        """The payment a callback tells of, once it was checked by the channel's scheme.

        headers: names in lower case. Raises BadCallbackSignature, StaleCallback, ReplayedCallback,
        NotJson, FloatForMoney.
        """


class SandboxChannel:
    """Signs timestamp, nonce and body, each with a line feed, as WeChat Pay does, but with HMAC-SHA256."""

    name = "sandbox"

    def __init__(self, key: bytes, nonces: NonceStore) -> None:
        self._key = key
        self._nonces = nonces

    def sign(self, body: bytes, timestamp: int, nonce: str) -> dict[str, str]:
        """The headers the channel puts on a callback."""
        return {
            TIMESTAMP_HEADER: str(timestamp),
            NONCE_HEADER: nonce,
            SIGNATURE_HEADER: self._signature(body, str(timestamp), nonce),
        }

    def callback(self, payment: CallbackMessage, now: datetime) -> tuple[bytes, dict[str, str]]:
        """Body and headers of one delivery; each delivery is signed anew."""
        body = payment.model_dump_json().encode()
        headers = self.sign(body, int(now.timestamp()), secrets.token_hex(16))
        return body, {**headers, "Content-Type": "application/json"}

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> ChannelPayment:
        """The payment a callback tells of; see Channel."""
        timestamp = headers.get(TIMESTAMP_HEADER.lower(), "")
        nonce = headers.get(NONCE_HEADER.lower(), "")
        given = headers.get(SIGNATURE_HEADER.lower(), "")
        if not (timestamp.isdigit() and nonce and given):
            raise BadCallbackSignature(channel=self.name, reason="a header is missing or malformed")
        if not hmac.compare_digest(self._signature(body, timestamp, nonce).encode(), given.encode()):
            raise BadCallbackSignature(channel=self.name, reason="the signature does not fit")
        seconds_off = abs(int(now.timestamp()) - int(timestamp))
        if seconds_off > WINDOW_S:
            raise StaleCallback(channel=self.name, seconds_off=seconds_off)
        if not self._nonces.use(f"channel:{self.name}", nonce, now):
            raise ReplayedCallback(channel=self.name)
        refuse_floats(body)
        try:
            message = CallbackMessage.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise NotJson(reason=f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        return ChannelPayment(
            channel=self.name,
            channel_txn_id=message.transaction_id,
            order_id=message.order_id,
            amount_fen=message.amount_fen,
            paid_at=message.paid_at,
        )

    def transaction_id(self, order_id: str, amount_fen: int) -> str:
        """The channel's number for paying that much for an order, the same however often one presses."""
        return f"sandbox-{order_id.replace('-', '')}-{amount_fen}"

    def _signature(self, body: bytes, timestamp: str, nonce: str) -> str:
        signed = timestamp.encode() + b"\n" + nonce.encode() + b"\n" + body + b"\n"
        return hmac.new(self._key, signed, hashlib.sha256).hexdigest()
