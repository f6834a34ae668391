"""One row of the table from errors to HTTP answers, and the rows about privacy."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from wallet import errors as wallet_errors


@dataclass(frozen=True, slots=True)
class Problem:
    """One row of the table. remedy: what the caller does now."""

    status: HTTPStatus
    code: str
    title: str
    remedy: str


PRIVACY: dict[type[Exception], Problem] = {
    wallet_errors.AccountInUse: Problem(
        HTTPStatus.CONFLICT,
        "account_in_use",
        "Account cannot be deleted yet",
        "Pay out what is left, let open stays end and answer what waits for a person; then delete it.",
    ),
}
