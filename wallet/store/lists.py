"""Conditions that a column is one of many values, which go in as one parameter whatever their number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import JSON, ColumnElement, String, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql import ClauseElement

from wallet.store.statements import Statement


def statement_among(
    build: Callable[[ColumnElement[bool]], ClauseElement], column: ColumnElement[Any], name: str
) -> Statement:
    """The statement that `build` makes of the condition that `column` is among the texts given as `name`."""
    listed = func.json_each(bindparam(name, type_=JSON)).table_valued("value")
    return Statement(
        {
            "sqlite": build(column.in_(select(listed.c.value))),
            "postgresql": build(column == any_(bindparam(name, type_=ARRAY(String)))),
        }
    )
