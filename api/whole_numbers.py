"""No float in a message: one that is exact today is 0.30000000000000004 tomorrow."""

from __future__ import annotations

import json
from typing import NoReturn

from api.errors import FloatForMoney, NotJson


def refuse_floats(body: bytes) -> None:
    """Raises NotJson where the bytes are no JSON, FloatForMoney with the first float's field otherwise."""
    try:
        document = json.loads(body, parse_float=_Float, parse_constant=_constant, object_pairs_hook=_unique)
        field = _find_float(document, "")
    except ValueError as error:
        raise NotJson(reason=str(error)) from None
    except RecursionError:
        raise NotJson(reason="it is nested too deeply") from None
    if field is not None:
        raise FloatForMoney(field=field)


class _Float(str):
    """A number with a fraction or exponent, as it was written."""

    __slots__ = ()


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object names the same field twice")
    return members


def _find_float(value: object, path: str) -> str | None:
    match value:
        case _Float():
            return path or "the body"
        case dict():
            items = [(str(name), item) for name, item in value.items()]
        case list():
            items = [(str(index), item) for index, item in enumerate(value)]
        case _:
            return None
    for name, item in items:
        found = _find_float(item, f"{path}.{name}" if path else name)
        if found is not None:
            return found
    return None
