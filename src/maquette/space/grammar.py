"""The types of the constraint language: which expressions are permitted, and what they yield."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Literal

import numpy as np

from maquette.errors import nearest
from maquette.space.parameter import Choice, Parameter, is_real, position, show

Kind = Literal["number", "truth", "label", "unknown"]

ARITHMETIC: dict[type[ast.operator], np.ufunc] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.float_power,
}
FUNCTIONS: dict[str, np.ufunc] = {
    "min": np.minimum,
    "max": np.maximum,
    "log": np.log,
    "abs": np.abs,
}
COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
SUMMARY = (
    "use names, numbers, + - * / **, comparisons, and, or, not, "
    "min(a, b, ...), max(a, b, ...), log(a), abs(a)"
)
_NOUNS: dict[Kind, str] = {
    "number": "a number",
    "truth": "a comparison",
    "label": "a choice that is not of numbers",
}


def kind_of(parameter: Parameter) -> Kind:
    """Return what a parameter is in an expression: choices of numbers count as numbers."""
    if not isinstance(parameter, Choice) or all(is_real(v) for v in parameter.values):
        return "number"
    return "truth" if all(isinstance(v, bool) for v in parameter.values) else "label"


def kind(node: ast.expr, parameters: Mapping[str, Parameter], problems: list[str]) -> Kind:
    """Return the type of an expression; note every place where types do not fit."""
    match node:
        case ast.Constant(value=value):
            return _kind_of_constant(value, problems)
        case ast.Name(id=name) if name in parameters:
            return kind_of(parameters[name])
        case ast.Name(id=name):
            problems.append(f"unknown parameter {name!r}." + nearest(name, parameters))
            return "unknown"
        case ast.Compare():
            return _kind_of_comparison(node, parameters, problems)
    form = _form(node)
    if form is None:
        problems.append(f"'{ast.unparse(node)}' is not allowed; {SUMMARY}")
        return "unknown"
    wanted, operands = form
    for operand in operands:
        found = kind(operand, parameters, problems)
        if found not in (wanted, "unknown"):
            is_, needed = _NOUNS[found], _NOUNS[wanted]
            problems.append(f"'{ast.unparse(operand)}' is {is_}, and {needed} is needed there")
    return wanted


def _form(node: ast.expr) -> tuple[Kind, list[ast.expr]] | None:
    """Return the type of a permitted operation and its operands, which are of the same type."""
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            return "number", [left, right]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return "number", [operand]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return "truth", [operand]
        case ast.BoolOp(values=values):
            return "truth", values
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            unary = FUNCTIONS[name].nin == 1
            return ("number", args) if args and unary == (len(args) == 1) else None
    return None


def _kind_of_constant(value: object, problems: list[str]) -> Kind:
    if isinstance(value, bool):
        return "truth"
    if value is None or isinstance(value, str):
        return "label"
    if not is_real(value):
        problems.append(f"{value!r} is not a finite number")
    return "number"


def _kind_of_comparison(
    node: ast.Compare, parameters: Mapping[str, Parameter], problems: list[str]
) -> Kind:
    operands = [node.left, *node.comparators]
    kinds = [kind(o, parameters, problems) for o in operands]
    for i, op in enumerate(node.ops):
        pair, equality = {kinds[i], kinds[i + 1]}, isinstance(op, ast.Eq | ast.NotEq)
        if "unknown" in pair or (pair == {"number"} and isinstance(op, COMPARISONS)):
            continue
        if equality and pair == {"truth"}:
            continue
        match label(operands[i], operands[i + 1], parameters):
            case Choice(values=values), ast.Constant(value=value) if equality:
                if position(value, values) is None:
                    known = nearest(str(value), [show(v) for v in values])
                    problems.append(f"{value!r} is not one of the choices.{known}")
            case _:
                shown = ast.unparse(ast.Compare(operands[i], [op], [operands[i + 1]]))
                problems.append(f"'{shown}' compares what cannot be compared")
    return "truth"


def label(
    left: ast.expr, right: ast.expr, parameters: Mapping[str, Parameter]
) -> tuple[Parameter, ast.expr] | None:
    """Return (parameter, other side) when one side names a choice that is not of numbers."""
    for name, other in ((left, right), (right, left)):
        if isinstance(name, ast.Name) and name.id in parameters:
            parameter = parameters[name.id]
            if kind_of(parameter) == "label":
                return parameter, other
    return None
