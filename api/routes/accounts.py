"""Accounts, their vehicles, their wallets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from api import answers
from api.deps import Parts, TheKey, get_operator, whole_numbers_only
from api.errors import KeyRequired, NotAllowed
from api.refusals import JSON, OPERATOR, refusals
from api.rights import needs
from api.schemas.fields import Time
from api.schemas.operators import (
    AccountAnswer,
    AccountMessage,
    AccountsAnswer,
    StatementAnswer,
    VehicleAnswer,
    VehicleMessage,
    VehiclesAnswer,
    WalletAnswer,
)
from wallet.errors import AccountUnknown, InvalidFact, KeyReused, PlateAlreadyBound, VehicleUnknown
from wallet.facts import Balance

router = APIRouter(
    prefix="/v1",
    tags=["accounts"],
    dependencies=[Depends(get_operator), Depends(whole_numbers_only), Depends(needs("accounts"))],
)

AccountId = Annotated[str, Path(max_length=64, examples=["019aa6ee-1b07-75aa-b1c0-8a7c35e2f0d3"])]
Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[str | None, Query(max_length=64)]
Plate = Annotated[str, Path(max_length=12, examples=["粤B12345"])]


@router.post(
    "/accounts",
    status_code=201,
    responses=refusals(*OPERATOR, NotAllowed, KeyRequired, KeyReused, InvalidFact, *JSON),
)
def open_account(message: AccountMessage, services: Parts, key: TheKey) -> AccountAnswer:
    """Open an account with an empty wallet."""
    account = services.wallet.open_account(message.name, message.phone, key, services.clock())
    return answers.account_answer(account)


@router.get("/accounts", responses=refusals(*OPERATOR))
def list_accounts(services: Parts, limit: Limit = 100, after: Cursor = None) -> AccountsAnswer:
    """All accounts, oldest first."""
    accounts = services.wallet.accounts(limit, after)
    more = accounts[-1].id if len(accounts) == limit else None
    return AccountsAnswer(accounts=[answers.account_answer(one) for one in accounts], next_after=more)


@router.get("/accounts/{account_id}", responses=refusals(*OPERATOR, AccountUnknown))
def show_account(account_id: AccountId, services: Parts) -> AccountAnswer:
    """One account."""
    return answers.account_answer(services.wallet.account(account_id))


@router.post(
    "/accounts/{account_id}/vehicles",
    status_code=201,
    responses=refusals(
        *OPERATOR, NotAllowed, KeyRequired, AccountUnknown, KeyReused, PlateAlreadyBound, InvalidFact, *JSON
    ),
)
def bind_vehicle(
    account_id: AccountId, message: VehicleMessage, services: Parts, key: TheKey
) -> VehicleAnswer:
    """Bind a plate to the account; a plate belongs to one account at a time. Says which plates look alike."""
    vehicle = services.wallet.bind_vehicle(account_id, message.plate, message.colour, key, services.clock())
    return answers.vehicle_answer(vehicle, services.wallet.twins.of(vehicle.id))


@router.get("/accounts/{account_id}/vehicles", responses=refusals(*OPERATOR, AccountUnknown))
def list_vehicles(account_id: AccountId, services: Parts) -> VehiclesAnswer:
    """The account's plates, those it has given up too."""
    services.wallet.account(account_id)
    return VehiclesAnswer(
        vehicles=[
            answers.vehicle_answer(one, services.wallet.twins.of(one.id) if one.unbound_at is None else ())
            for one in services.wallet.vehicles(account_id)
        ]
    )


@router.delete("/vehicles/{plate}", responses=refusals(*OPERATOR, NotAllowed, VehicleUnknown))
def unbind_vehicle(plate: Plate, services: Parts) -> VehicleAnswer:
    """Give a plate up. A stay that is open ends as it would have."""
    return answers.vehicle_answer(services.wallet.unbind_vehicle(plate, services.clock()))


@router.get("/accounts/{account_id}/wallet", responses=refusals(*OPERATOR, AccountUnknown))
def show_wallet(account_id: AccountId, services: Parts) -> WalletAnswer:
    """What the wallet holds, what of it is reserved, and what can be spent."""
    return _wallet_answer(account_id, services.wallet.balance(account_id))


def _wallet_answer(account_id: str, balance: Balance) -> WalletAnswer:
    return WalletAnswer(
        account_id=account_id,
        principal_fen=balance.principal_fen,
        bonus_fen=balance.bonus_fen,
        held_fen=balance.held_fen,
        available_fen=balance.available_fen,
    )


@router.get(
    "/accounts/{account_id}/statement",
    responses=refusals(*OPERATOR, AccountUnknown),
)
def show_statement(
    account_id: AccountId,
    services: Parts,
    limit: Limit = 100,
    before: Cursor = None,
    at: Annotated[Time | None, Query(description="A past moment: wallet and lines as they were then")] = None,
) -> StatementAnswer:
    """Every movement of the wallet, newest first; with `at` as it was at that moment."""
    services.wallet.account(account_id)
    lines = services.wallet.statement(account_id, limit, before, at)
    more = lines[-1].id if len(lines) == limit else None
    then = None if at is None else _wallet_answer(account_id, services.wallet.balance_at(account_id, at))
    return StatementAnswer(
        lines=[answers.statement_line(line) for line in lines], next_before=more, wallet_at=then
    )
