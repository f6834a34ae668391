"""What can be wrong with a request to the wallet.

WalletError
├── NotFound: AccountUnknown, VehicleUnknown, OrderUnknown, SightingUnknown, VisitUnknown, ReviewUnknown,
│             OperatorUnknown, DeviceUnknown, ChargeUnknown, TransferUnknown, AdjustmentUnknown,
│             StopUnknown
├── Conflict: KeyReused, PlateAlreadyBound, NameTaken, AlreadySet, AccountInUse
├── Invalid:  InvalidAmount, InvalidFact, SaleAmountMismatch
└── Broken:   DurabilityTooLow, SchemaMissing

Each carries its facts as attributes and a stable `code`. An expected answer (too little balance, a payment
refused) is a value, not an error.
"""

from __future__ import annotations

from typing import ClassVar


class WalletError(Exception):
    """The root; `facts()` gives what a caller may show."""

    code: ClassVar[str] = "wallet_error"

    def facts(self) -> dict[str, object]:
        """The attributes of this error by name."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


class NotFound(WalletError):  # noqa: N818
    """Something named by the caller does not exist."""

    code = "not_found"


class Conflict(WalletError):  # noqa: N818
    """The request contradicts what is already stored; nothing has changed."""

    code = "conflict"


class Invalid(WalletError):  # noqa: N818
    """The request makes no sense whatever is stored; nothing has changed."""

    code = "invalid"


class Broken(WalletError):  # noqa: N818
    """The database cannot be trusted with money as it is set up."""

    code = "broken"


class AccountUnknown(NotFound):
    code = "account_unknown"

    def __init__(self, account_id: str) -> None:
        super().__init__(f"there is no account {account_id}")
        self.account_id = account_id


class VehicleUnknown(NotFound):
    code = "vehicle_unknown"

    def __init__(self, plate: str) -> None:
        super().__init__(f"no account has the plate {plate} bound now")
        self.plate = plate


class OrderUnknown(NotFound):
    code = "order_unknown"

    def __init__(self, order_id: str) -> None:
        super().__init__(f"there is no recharge order {order_id}")
        self.order_id = order_id


class SightingUnknown(NotFound):
    code = "sighting_unknown"

    def __init__(self, sighting_id: str) -> None:
        super().__init__(f"there is no sighting {sighting_id}")
        self.sighting_id = sighting_id


class VisitUnknown(NotFound):
    code = "visit_unknown"

    def __init__(self, visit_id: str) -> None:
        super().__init__(f"there is no visit {visit_id}")
        self.visit_id = visit_id


class ReviewUnknown(NotFound):
    code = "review_unknown"

    def __init__(self, review_id: str) -> None:
        super().__init__(f"there is no review item {review_id}")
        self.review_id = review_id


class OperatorUnknown(NotFound):
    code = "operator_unknown"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no operator {name}")
        self.name = name


class DeviceUnknown(NotFound):
    code = "device_unknown"

    def __init__(self, device_id: str) -> None:
        super().__init__(f"there is no device {device_id}")
        self.device_id = device_id


class ChargeUnknown(NotFound):
    code = "charge_unknown"

    def __init__(self, charge_id: str) -> None:
        super().__init__(f"there is no charge {charge_id}")
        self.charge_id = charge_id


class TransferUnknown(NotFound):
    code = "transfer_unknown"

    def __init__(self, transfer_id: str) -> None:
        super().__init__(f"there is no transfer {transfer_id}")
        self.transfer_id = transfer_id


class AdjustmentUnknown(NotFound):
    code = "adjustment_unknown"

    def __init__(self, adjustment_id: str) -> None:
        super().__init__(f"there is no adjustment {adjustment_id}")
        self.adjustment_id = adjustment_id


class StopUnknown(NotFound):
    code = "stop_unknown"

    def __init__(self, stop_id: str) -> None:
        super().__init__(f"there is no stopped plate under {stop_id}")
        self.stop_id = stop_id


class KeyReused(Conflict):
    """The same name with another body: the first answer stands. The other body's hash is written down."""

    code = "key_reused"

    def __init__(self, scope: str, key: str, body_hash: str) -> None:
        super().__init__(f"{scope} {key} was used before with another body; the first one stands")
        self.scope = scope
        self.key = key
        self._body_hash = body_hash

    @property
    def body_hash(self) -> str:
        """Hash of the body that was refused."""
        return self._body_hash


class PlateAlreadyBound(Conflict):
    code = "plate_already_bound"

    def __init__(self, plate: str) -> None:
        super().__init__(f"the plate {plate} is bound to an account already; unbind it there first")
        self.plate = plate


class AccountInUse(Conflict):
    """why: money_left (with how much), visit_open or review_open."""

    code = "account_in_use"

    def __init__(self, account_id: str, why: str, money_fen: int) -> None:
        left = {"money_left": f"{money_fen} fen are in its wallet: pay them out first"}
        left |= {"visit_open": "a stay is open", "review_open": "a review item is open"}
        super().__init__(f"the account {account_id} cannot be deleted: {left[why]}")
        self.account_id = account_id
        self.why = why
        self.money_fen = money_fen


class NameTaken(Conflict):
    code = "name_taken"

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"there is already a {what} called {name}")
        self.what = what
        self.name = name


class AlreadySet(Conflict):
    code = "already_set"

    def __init__(self, what: str, moment: str) -> None:
        super().__init__(f"there is already a {what} from {moment} on; it stands")
        self.what = what
        self.moment = moment


class InvalidAmount(Invalid):
    code = "invalid_amount"

    def __init__(self, what: str, given: str, rule: str) -> None:
        super().__init__(f"{what} {rule}; got {given}")
        self.what = what
        self.given = given
        self.rule = rule


class InvalidFact(Invalid):
    code = "invalid_fact"

    def __init__(self, what: str, given: str, rule: str) -> None:
        super().__init__(f"{what} {rule}; got {given}")
        self.what = what
        self.given = given
        self.rule = rule


class SaleAmountMismatch(Invalid):
    code = "sale_amount_mismatch"

    def __init__(self, sale_id: str, amount_fen: int, computed_fen: int) -> None:
        super().__init__(
            f"sale {sale_id} says {amount_fen} fen, but its litres at its price come to {computed_fen} fen"
        )
        self.sale_id = sale_id
        self.amount_fen = amount_fen
        self.computed_fen = computed_fen


class DurabilityTooLow(Broken):
    """A committed answer could be lost at a power cut."""

    code = "durability_too_low"

    def __init__(self, setting: str, found: str, needed: str, how: str = "") -> None:
        super().__init__(
            f"the database has {setting}={found}; money needs {setting}={needed}. "
            f"Set it{f' ({how})' if how else ''} and start again"
        )
        self.setting = setting
        self.found = found
        self.needed = needed


class SchemaMissing(Broken):
    code = "schema_missing"

    def __init__(self, database: str) -> None:
        super().__init__(f"the database {database} has no tables yet; run `platepay migrate` first")
        self.database = database
