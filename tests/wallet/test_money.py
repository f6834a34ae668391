"""Text becomes fen, and fen text, in one module; nothing is lost on the way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wallet
from wallet.errors import InvalidAmount
from wallet.money import (
    LARGEST_FEN,
    fen,
    format_litres,
    format_yuan,
    parse_litres,
    parse_yuan,
    price_of,
    share_down,
    share_up,
)

PACKAGE = Path(wallet.__file__).parent


@pytest.mark.parametrize(
    ("text", "amount_fen"),
    [("0", 0), ("200", 20_000), ("199.9", 19_990), ("0.05", 5), ("-0.05", -5), ("245.31", 24_531)],
)
def test_yuan_become_fen(text, amount_fen):
    assert parse_yuan(text) == amount_fen


@pytest.mark.parametrize(
    ("amount_fen", "written"), [(0, "0.00"), (1, "0.01"), (-1, "-0.01"), (24_531, "245.31"), (-100, "-1.00")]
)
def test_fen_become_yuan(amount_fen, written):
    assert format_yuan(amount_fen) == written


@pytest.mark.parametrize(
    "text", ["", "1.", ".5", "1.234", "1e3", "１２", "1,000", " 1", "1 ", "NaN", "--1", "1\n"]
)
def test_what_is_not_yuan_is_refused(text):
    with pytest.raises(InvalidAmount) as caught:
        parse_yuan(text)
    assert (caught.value.what, caught.value.given) == ("yuan", repr(text))
    assert "at most two decimals" in caught.value.rule


@given(st.integers(min_value=-(10**11), max_value=10**11))
def test_yuan_there_and_back_is_the_same(amount_fen):
    assert parse_yuan(format_yuan(amount_fen)) == amount_fen


@given(st.integers(min_value=0, max_value=999_999_999))
def test_litres_there_and_back_is_the_same(volume_ml):
    assert parse_litres(format_litres(volume_ml)) == volume_ml


@pytest.mark.parametrize(
    ("text", "volume_ml"),
    [
        ("31", 31_000),
        ("31.2", 31_200),
        ("31.02", 31_020),
        ("31.002", 31_002),
        ("0", 0),
        ("999999.999", 999_999_999),
    ],
)
def test_litres_may_have_fewer_decimals_than_three_or_none(text, volume_ml):
    assert parse_litres(text) == volume_ml


@pytest.mark.parametrize("text", ["-1", "1.2345", "", "31,25", "1e2", "+3", "inf", "1000000", "1.", ".5"])
def test_what_is_not_litres_is_refused(text):
    with pytest.raises(InvalidAmount) as caught:
        parse_litres(text)
    assert (caught.value.what, caught.value.given) == ("litres", repr(text))
    assert "at most three decimals" in caught.value.rule


@pytest.mark.parametrize(
    ("volume_ml", "unit_price_fen", "amount_fen"),
    [(31_250, 785, 24_531), (1, 785, 1), (0, 785, 0), (500, 1, 1), (499, 1, 0), (10_000, 799, 7_990)],
)
def test_price_rounds_half_a_fen_up(volume_ml, unit_price_fen, amount_fen):
    assert price_of(volume_ml, unit_price_fen) == amount_fen


def test_an_expected_loss_is_never_rounded_down():
    assert share_up(45_000, 4_444) == 200
    assert share_up(45_000, 4_445) == 201
    assert share_up(45_000, 0) == 0
    assert share_up(1, 1) == 1


@pytest.mark.parametrize("amount", [1.0, True, "5", None, -1, LARGEST_FEN + 1])
def test_only_whole_fen_in_range_are_money(amount):
    with pytest.raises(InvalidAmount):
        fen(amount)


@pytest.mark.parametrize(("amount_fen", "least"), [(LARGEST_FEN, 0), (0, 0), (1, 1), (-5, -5)])
def test_both_ends_of_the_range_are_money(amount_fen, least):
    assert fen(amount_fen, least=least) == amount_fen
    assert fen(0) == 0


@pytest.mark.parametrize(
    ("amount", "least", "given", "rule"),
    [
        (0, 1, "0", "must be from 1 to 1000000000000 fen"),
        (LARGEST_FEN + 1, 0, "1000000000001", "must be from 0 to 1000000000000 fen"),
        ("5", 0, "'5'", "must be a whole number of fen"),
    ],
)
def test_what_is_no_money_is_refused_by_name(amount, least, given, rule):
    with pytest.raises(InvalidAmount) as caught:
        fen(amount, least=least, what="fee_fen")
    assert (caught.value.what, caught.value.given, caught.value.rule) == ("fee_fen", given, rule)
    with pytest.raises(InvalidAmount, match=r"^amount_fen must be"):
        fen(amount, least=least)


def test_a_share_is_rounded_down():
    assert share_down(999, 1, 2) == 499
    assert share_down(7, 7, 7) == 7
    assert share_down(10**12, 10**12, 10**12) == 10**12
    assert share_down(5, 0, 7) == 0


def _floats(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float() | complex()):
                found.append(f"line {node.lineno}: the number {node.value}")
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                found.append(f"line {node.lineno}: a division with /")
            case ast.Name(id="float" | "Decimal" | "Fraction" | "round"):
                found.append(f"line {node.lineno}: {node.id}")
            case ast.Attribute(
                attr="truediv" | "total_seconds" | "timestamp" | "Float" | "Numeric" | "Double"
            ):
                found.append(f"line {node.lineno}: {node.attr}")
            case ast.Import() | ast.ImportFrom() if any(
                alias.name in {"Float", "Numeric", "Double", "decimal", "fractions", "math", "statistics"}
                for alias in node.names
            ):
                found.append(f"line {node.lineno}: an import of floats")
    return found


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_no_float_and_no_division_in_wallet(path):
    assert _floats(ast.parse(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "planted", ["x = 0.5", "x = a / b", "x /= 2", "float(x)", "round(x)", "d.total_seconds()", "import math"]
)
def test_the_search_for_floats_finds_planted_ones(planted):
    assert _floats(ast.parse(planted)) != []


def test_text_becomes_money_in_one_module_only():
    """No other module of wallet turns text into a number or a number of fen into yuan."""
    for path in PACKAGE.rglob("*.py"):
        # plates.py divides the weights of strings, which are no money.
        if path.name in {"money.py", "plates.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv | ast.Mod):
                pytest.fail(f"{path.name}:{node.lineno} divides")
