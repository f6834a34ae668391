"""What an operator of each role may do besides reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from fastapi import Request

from api.deps import TheOperator
from api.errors import NotAllowed
from wallet.access import Session

Right = Literal["accounts", "money", "review", "plant"]

# accounts: open them and bind plates; money: move it by hand; review: answer items of the queue; plant: known
# cases, and everybody's score.
RIGHTS: Mapping[str, frozenset[Right]] = {
    "admin": frozenset({"accounts", "money", "review", "plant"}),
    "finance": frozenset({"accounts", "money"}),
    "reviewer": frozenset({"review"}),
    "auditor": frozenset(),
}


def may(operator: Session, right: Right) -> bool:
    """Whether this operator's role has the right; a role nobody knows has none."""
    return right in RIGHTS.get(operator.role, frozenset())


def must_have(operator: Session, right: Right) -> None:
    """Raises NotAllowed."""
    if not may(operator, right):
        raise NotAllowed(operator=operator.operator_name, role=operator.role, right=right)


def needs(right: Right) -> Callable[[Request, Session], None]:
    """A dependency of routes: who only reads needs no right, who changes something needs this one."""

    def check(request: Request, operator: TheOperator) -> None:
        if request.method not in ("GET", "HEAD"):
            must_have(operator, right)

    return check
