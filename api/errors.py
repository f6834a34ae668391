"""What the service refuses and why, and the one table from an error to its HTTP status and code.

ApiError
├── NotSignedIn, WrongPassword, LockedOut, TooBusy, NotAllowed         who is the operator
├── UnsignedRequest, UnknownDevice, BadSignature, StaleTimestamp,
│   ReplayedRequest, WrongRole, WrongStation, NoncesUnavailable        which device speaks
├── KeyRequired, NotJson, FloatForMoney                                how the request is written
├── EvidenceDiffers, EvidenceNotJpeg, EvidenceUnknown, EvidenceMissing pictures
├── NotFound, MethodNotAllowed, PayloadTooLarge, InternalError         any address
└── ChannelUnknown, SandboxClosed, BadCallbackSignature,
    StaleCallback, ReplayedCallback                                    payment channels
"""

# ruff: noqa: N818  a name says what is wrong; that it is an error the table says

from __future__ import annotations

from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api.problem_rows import PRIVACY, Problem
from wallet import errors as wallet_errors


class ApiError(Exception):
    """Something the HTTP side refuses. Its facts are keyword arguments and become members of the answer."""

    sentence = ""

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(self.sentence.format(**facts))


class NotSignedIn(ApiError):
    sentence = "This needs an operator's session, and there is none or it has ended."


class WrongPassword(ApiError):
    sentence = "This name and password do not belong together."


class LockedOut(ApiError):
    sentence = "Too many wrong passwords for this name; it opens again in {retry_after_s} seconds."


class TooBusy(ApiError):
    sentence = "Too many logins are being checked at this moment."


class NotAllowed(ApiError):
    sentence = "{operator} is {role} here and may not do this: it needs the right {right}."


class UnsignedRequest(ApiError):
    sentence = "The header {header} is missing or cannot be read."


class UnknownDevice(ApiError):
    sentence = "No device called {device} may speak to this service."


class BadSignature(ApiError):
    sentence = "The signature of device {device} does not fit this request."


class StaleTimestamp(ApiError):
    sentence = "The request of device {device} is {seconds_off} seconds off the service's clock."


class ReplayedRequest(ApiError):
    sentence = "The nonce of this request was used by device {device} before."


class WrongRole(ApiError):
    sentence = "Device {device} is a {role}; only a {needed} may do this."


class WrongStation(ApiError):
    sentence = "Device {device} belongs to station {own_station} and may not speak for station {station}."


class NoncesUnavailable(ApiError):
    sentence = "The store of used nonces does not answer, so a replay could not be told; nothing was done."


class KeyRequired(ApiError):
    sentence = "The header Idempotency-Key is missing, empty, or longer than 200 characters."


class NotJson(ApiError):
    sentence = "The body is not the JSON this needs: {reason}."


class FloatForMoney(ApiError):
    sentence = "{field} is a number with a fraction or exponent; money and litres never travel as floats."


class EvidenceDiffers(ApiError):
    sentence = "The picture's bytes have the SHA-256 {found}, not the {named} in the address."


class EvidenceNotJpeg(ApiError):
    sentence = "The picture {sha256} is not a complete JPEG."


class EvidenceUnknown(ApiError):
    sentence = "There is no picture {sha256} here."


class EvidenceMissing(ApiError):
    sentence = "The {kind} picture {sha256} that the sighting names was not uploaded."


class ChannelUnknown(ApiError):
    sentence = "There is no payment channel called {channel} here."


class SandboxClosed(ApiError):
    sentence = "The sandbox payment channel is switched off."


class BadCallbackSignature(ApiError):
    sentence = "The callback is not signed by the channel {channel}: {reason}."


class StaleCallback(ApiError):
    sentence = "The callback of {channel} is {seconds_off} seconds off the service's clock."


class ReplayedCallback(ApiError):
    sentence = "This very callback of {channel} was delivered before."


class NotFound(ApiError):
    sentence = "There is nothing at {path}."


class MethodNotAllowed(ApiError):
    sentence = "{method} is not possible at {path}."


class PayloadTooLarge(ApiError):
    sentence = "The body is larger than this address takes."


class InternalError(ApiError):
    sentence = "Something went wrong inside the service; the request id leads to it in the log."


_S = HTTPStatus

PROBLEMS: dict[type[Exception], Problem] = {
    **PRIVACY,
    NotSignedIn: Problem(
        _S.UNAUTHORIZED,
        "not_signed_in",
        "Not signed in",
        "Log in with POST /v1/sessions and send the token as Bearer.",
    ),
    WrongPassword: Problem(
        _S.UNAUTHORIZED,
        "wrong_password",
        "Wrong name or password",
        "Check both; after several failures the name locks.",
    ),
    LockedOut: Problem(
        _S.TOO_MANY_REQUESTS,
        "locked_out",
        "Locked out",
        "Wait as long as Retry-After says, then use the right password.",
    ),
    TooBusy: Problem(_S.SERVICE_UNAVAILABLE, "too_busy", "Too busy", "Try again in a few seconds."),
    NotAllowed: Problem(
        _S.FORBIDDEN, "not_allowed", "Not this operator's right", "Ask somebody whose role has the right."
    ),
    UnsignedRequest: Problem(
        _S.UNAUTHORIZED,
        "unsigned_request",
        "Request not signed",
        "Send the four Platepay headers of docs/http.md.",
    ),
    UnknownDevice: Problem(
        _S.UNAUTHORIZED,
        "unknown_device",
        "Unknown device",
        "Register it with `platepay device add` and use its key.",
    ),
    BadSignature: Problem(
        _S.UNAUTHORIZED,
        "bad_signature",
        "Signature does not fit",
        "Sign exactly the method, path with query, and body that are sent, with this device's present key.",
    ),
    StaleTimestamp: Problem(
        _S.UNAUTHORIZED,
        "stale_timestamp",
        "Time outside the window",
        "Set the device's clock, and sign again.",
    ),
    ReplayedRequest: Problem(
        _S.UNAUTHORIZED, "replayed_request", "Request replayed", "Sign each attempt with a new nonce."
    ),
    WrongRole: Problem(
        _S.FORBIDDEN, "wrong_role", "Not this device's work", "Send it from a device of that role."
    ),
    WrongStation: Problem(
        _S.FORBIDDEN,
        "wrong_station",
        "Not this device's station",
        "Send the station the device is registered for.",
    ),
    NoncesUnavailable: Problem(
        _S.SERVICE_UNAVAILABLE,
        "nonces_unavailable",
        "Replays cannot be told",
        "Sign again and send it once more later.",
    ),
    KeyRequired: Problem(
        _S.BAD_REQUEST,
        "idempotency_key_required",
        "Idempotency-Key missing",
        "Send a new key, kept for every retry.",
    ),
    NotJson: Problem(
        _S.BAD_REQUEST, "not_json", "Not JSON", "Send one JSON object as application/json in UTF-8."
    ),
    FloatForMoney: Problem(
        _S.UNPROCESSABLE_ENTITY,
        "float_for_money",
        "A float where a whole number belongs",
        'Send money as whole fen (24531) and litres as text ("31.25").',
    ),
    RequestValidationError: Problem(
        _S.UNPROCESSABLE_ENTITY,
        "invalid_request",
        "The request does not fit",
        "Mend the fields named in problems.",
    ),
    EvidenceDiffers: Problem(
        _S.UNPROCESSABLE_ENTITY,
        "evidence_differs",
        "Picture and name differ",
        "Name it by the SHA-256 of its bytes.",
    ),
    EvidenceNotJpeg: Problem(
        _S.UNPROCESSABLE_ENTITY, "evidence_not_jpeg", "Not a JPEG", "Send a whole JPEG file as image/jpeg."
    ),
    EvidenceUnknown: Problem(_S.NOT_FOUND, "evidence_unknown", "No such picture", "Check the SHA-256."),
    EvidenceMissing: Problem(
        _S.UNPROCESSABLE_ENTITY,
        "evidence_missing",
        "Picture not uploaded",
        "PUT the picture to /v1/evidence first, then send the sighting again.",
    ),
    ChannelUnknown: Problem(
        _S.NOT_FOUND, "channel_unknown", "No such channel", "Use a channel this service offers."
    ),
    SandboxClosed: Problem(
        _S.FORBIDDEN,
        "sandbox_closed",
        "Sandbox switched off",
        "Start the service with PLATEPAY_SANDBOX=true to test.",
    ),
    BadCallbackSignature: Problem(
        _S.UNAUTHORIZED,
        "bad_callback_signature",
        "Callback not signed by the channel",
        "Nothing was credited.",
    ),
    StaleCallback: Problem(
        _S.UNAUTHORIZED, "stale_callback", "Callback outside the window", "Deliver it again, signed anew."
    ),
    ReplayedCallback: Problem(
        _S.UNAUTHORIZED, "replayed_callback", "Callback replayed", "Deliver it again with a new nonce."
    ),
    wallet_errors.AccountUnknown: Problem(
        _S.NOT_FOUND, "account_unknown", "No such account", "Check the account's id."
    ),
    wallet_errors.VehicleUnknown: Problem(
        _S.NOT_FOUND, "vehicle_unknown", "No such vehicle", "Check the plate; it may have been unbound."
    ),
    wallet_errors.OrderUnknown: Problem(
        _S.NOT_FOUND, "order_unknown", "No such order", "Check the order's id."
    ),
    wallet_errors.SightingUnknown: Problem(
        _S.NOT_FOUND, "sighting_unknown", "No such sighting", "Send the sighting before what follows from it."
    ),
    wallet_errors.VisitUnknown: Problem(
        _S.NOT_FOUND, "visit_unknown", "No such visit", "Check the visit's id."
    ),
    wallet_errors.ReviewUnknown: Problem(
        _S.NOT_FOUND, "review_unknown", "No such review", "Check the review's id."
    ),
    wallet_errors.OperatorUnknown: Problem(
        _S.NOT_FOUND,
        "operator_unknown",
        "No such operator",
        "Check the name; `platepay operator add` makes one.",
    ),
    wallet_errors.DeviceUnknown: Problem(
        _S.NOT_FOUND, "device_unknown", "No such device", "Check the id; `platepay device add` makes one."
    ),
    wallet_errors.ChargeUnknown: Problem(
        _S.NOT_FOUND, "charge_unknown", "No such charge", "Check the charge's id."
    ),
    wallet_errors.TransferUnknown: Problem(
        _S.NOT_FOUND, "transfer_unknown", "No such transfer", "Send the line_id of a statement."
    ),
    wallet_errors.AdjustmentUnknown: Problem(
        _S.NOT_FOUND, "adjustment_unknown", "No such adjustment", "Check the adjustment's id."
    ),
    wallet_errors.StopUnknown: Problem(
        _S.NOT_FOUND, "stop_unknown", "No such stop", "Check the stop's id; the plate's stops name it."
    ),
    wallet_errors.AlreadySet: Problem(
        _S.CONFLICT, "already_set", "Set for that moment", "Send another valid_from; what is set stays."
    ),
    wallet_errors.KeyReused: Problem(
        _S.CONFLICT,
        "key_reused",
        "Same key, other body",
        "Use a new key for a new request; repeat an old one unchanged.",
    ),
    wallet_errors.PlateAlreadyBound: Problem(
        _S.CONFLICT, "plate_already_bound", "Plate already bound", "Unbind it from its present account first."
    ),
    wallet_errors.NameTaken: Problem(_S.CONFLICT, "name_taken", "Name taken", "Choose another name."),
    wallet_errors.InvalidAmount: Problem(
        _S.UNPROCESSABLE_ENTITY,
        "invalid_amount",
        "Amount not possible",
        "Correct the amount and send it again.",
    ),
    wallet_errors.InvalidFact: Problem(
        _S.UNPROCESSABLE_ENTITY,
        "invalid_fact",
        "A field makes no sense",
        "Correct the field and send it again.",
    ),
    wallet_errors.SaleAmountMismatch: Problem(
        _S.UNPROCESSABLE_ENTITY,
        "sale_amount_mismatch",
        "Amount and litres disagree",
        "Correct the sale at the pump; litres × unit price and amount may differ by 1 fen.",
    ),
    wallet_errors.DurabilityTooLow: Problem(
        _S.SERVICE_UNAVAILABLE,
        "durability_too_low",
        "Database not durable",
        "Money waits until an administrator mends it.",
    ),
    wallet_errors.SchemaMissing: Problem(
        _S.SERVICE_UNAVAILABLE, "schema_missing", "Database has no tables", "Run `platepay migrate`."
    ),
    OperationalError: Problem(
        _S.SERVICE_UNAVAILABLE,
        "database_unavailable",
        "Database not available",
        "Send the same again in a few seconds.",
    ),
    PoolTimeout: Problem(
        _S.SERVICE_UNAVAILABLE,
        "database_unavailable",
        "Database not available",
        "Send the same again in a few seconds.",
    ),
    NotFound: Problem(
        _S.NOT_FOUND, "not_found", "Nothing here", "/openapi.json lists the addresses there are."
    ),
    MethodNotAllowed: Problem(
        _S.METHOD_NOT_ALLOWED, "method_not_allowed", "Method not possible here", "See the Allow header."
    ),
    PayloadTooLarge: Problem(
        _S.REQUEST_ENTITY_TOO_LARGE,
        "payload_too_large",
        "Body too large",
        "Pictures may have 2 MiB, JSON 64 KiB.",
    ),
    InternalError: Problem(
        _S.INTERNAL_SERVER_ERROR,
        "internal_error",
        "Internal error",
        "Send the same again; repeats are harmless.",
    ),
}


def problem_for(error: Exception) -> Problem | None:
    """The row for an error, found by its class or the nearest class above it; None where there is none."""
    for kind in type(error).__mro__:
        row = PROBLEMS.get(kind)
        if row is not None:
            return row
    return None
