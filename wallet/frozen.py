"""Frozen values that are made often, made quickly.

A frozen dataclass writes each field by `object.__setattr__`, which looks it up in the class again: that was a
tenth of the CPU of a sighting. A field with a slot can be written through the slot.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

T = TypeVar("T")


def quickly_made(kind: type[T]) -> type[T]:
    """The same frozen dataclass with slots, its `__init__` written anew; goes above `@dataclass`.

    Raises TypeError where a default is made by a function, or something is done after `__init__`.
    """
    if hasattr(kind, "__post_init__"):
        raise TypeError(f"{kind.__name__} does something after it is made")
    known: dict[str, Any] = {}
    parameters, lines = ["self"], []
    made: Any = kind
    for field in fields(made):
        if field.default_factory is not MISSING:
            raise TypeError(f"{kind.__name__}.{field.name} is made by a function")
        known[f"write_{field.name}"] = getattr(kind, field.name).__set__
        lines.append(f"    write_{field.name}(self, {field.name})\n")
        if field.default is MISSING:
            parameters.append(field.name)
        else:
            known[f"default_{field.name}"] = field.default
            parameters.append(f"{field.name}=default_{field.name}")
    # As dataclasses does it: the names of fields are the only text in it that is not ours.
    exec(f"def __init__({', '.join(parameters)}):\n{''.join(lines)}", known)  # noqa: S102
    init = known["__init__"]
    init.__annotations__ = made.__init__.__annotations__
    init.__qualname__ = made.__init__.__qualname__
    made.__init__ = init
    return kind
