"""Conditions that a column is one of many values, which go in as one parameter whatever their number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Dialect,
    String,
    TypeDecorator,
    any_,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql import ClauseElement

from wallet.store.statements import Statement


class _Listed(TypeDecorator[str]):
    """Texts as one text, the way PostgreSQL writes an array: the driver would look at each by itself."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, _dialect: Dialect) -> str | None:
        return None if value is None else as_array(value)


def as_array(texts: Sequence[str]) -> str:
    """An array as PostgreSQL reads it, each text in quotes."""
    if not texts:
        return "{}"
    joined = "".join(texts)
    if '"' in joined or "\\" in joined:
        texts = [one.replace("\\", "\\\\").replace('"', '\\"') for one in texts]
    return '{"' + '","'.join(texts) + '"}'


def statement_among(
    build: Callable[[ColumnElement[bool]], ClauseElement], column: ColumnElement[Any], name: str
) -> Statement:
    """The statement that `build` makes of the condition that `column` is among the texts given as `name`."""
    listed = func.json_each(bindparam(name, type_=JSON)).table_valued("value")
    return Statement(
        {
            "sqlite": build(column.in_(select(listed.c.value))),
            "postgresql": build(column == any_(cast(bindparam(name, type_=_Listed), ARRAY(String)))),
        }
    )
