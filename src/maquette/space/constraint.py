"""Constraints over several parameters: a small language of arithmetic and comparisons.

``"warmup + decay <= 1"``, ``"layers * width <= 4096"``, ``"optimizer != 'sgd' or lr < 0.1"``. Names
that are not identifiers stand in backquotes: ``"`lr/head` <= 0.1"``. The text is parsed to a tree
of permitted nodes and interpreted on whole columns; nothing is ever handed to Python to run.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from maquette.errors import nearest
from maquette.space.parameter import Choice, Parameter, is_real, position

Kind = Literal["number", "truth", "label", "unknown"]
Columns = Mapping[str, NDArray[np.float64]]

# Decoded floats carry 13 significant digits: a boundary case must not fail for the fourteenth.
SLACK = 1e-12

_ARITHMETIC: dict[type[ast.operator], np.ufunc] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.float_power,
}
_FUNCTIONS: dict[str, np.ufunc] = {
    "min": np.minimum,
    "max": np.maximum,
    "log": np.log,
    "abs": np.abs,
}
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
_GRAMMAR = "use names, numbers, + - * / **, comparisons, and, or, not, min, max, log, abs"


@final
@dataclass(frozen=True, slots=True)
class Constraint:
    """A parsed constraint: its text, the parameters that it names, and its tree."""

    text: str
    names: tuple[str, ...]
    tree: ast.expr

    def holds(self, columns: Columns, parameters: Mapping[str, Parameter]) -> NDArray[np.bool_]:
        """Evaluate on columns of coded values, shape (n,): numbers, or indices of choices."""
        ready = {n: _readable(columns[n], parameters[n]) for n in self.names}
        with np.errstate(all="ignore"):
            return np.asarray(_value(self.tree, ready, parameters), dtype=bool)


def parse(
    text: Any, parameters: Mapping[str, Parameter], silent: Collection[str] = ()
) -> tuple[Constraint | None, list[str]]:
    """Parse a constraint; return it, or None and every problem found.

    `silent` names parameters that are faulty themselves: here they fit anywhere.
    """
    if not isinstance(text, str) or not text.strip():
        return None, [f"constraint {text!r}: must be a text such as 'warmup + decay <= 1'"]
    quoted: dict[str, str] = {}

    def unquote(match: re.Match[str]) -> str:
        return quoted.setdefault(match[1], f"_quoted{len(quoted)}_")

    try:
        bare = re.sub(r"`([^`]+)`", unquote, text.strip())
        tree = ast.parse(bare, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = f" at column {error.offset}" if isinstance(error, SyntaxError) else ""
        return None, [f"constraint {text!r}: cannot be read{where}; {_GRAMMAR}"]
    names = {alias: name for name, alias in quoted.items()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    problems: list[str] = []
    kind = _kind(tree, parameters, problems)
    if any(name in _names(tree) for name in silent):
        return None, []
    used = tuple(n for n in parameters if n in _names(tree))
    if not problems and kind != "truth":
        problems.append("must be a comparison, such as 'warmup + decay <= 1'")
    if not problems and not used:
        problems.append("names no parameter." + nearest("", parameters))
    if problems:
        return None, [f"constraint {text!r}: {p}" for p in dict.fromkeys(problems)]
    return Constraint(text.strip(), used, tree), []


def _names(tree: ast.expr) -> set[str]:
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called}


def _kind_of(parameter: Parameter) -> Kind:
    if not isinstance(parameter, Choice):
        return "number"
    if all(is_real(v) for v in parameter.values):
        return "number"
    return "truth" if all(isinstance(v, bool) for v in parameter.values) else "label"


def _kind(node: ast.expr, parameters: Mapping[str, Parameter], problems: list[str]) -> Kind:
    """Return the type of an expression; note every place where types do not fit."""
    match node:
        case ast.Constant(value=value):
            return _kind_of_constant(value, problems)
        case ast.Name(id=name) if name in parameters:
            return _kind_of(parameters[name])
        case ast.Name(id=name):
            problems.append(f"unknown parameter {name!r}." + nearest(name, parameters))
            return "unknown"
        case ast.Compare():
            return _kind_of_comparison(node, parameters, problems)
    form = _form(node)
    if form is None:
        problems.append(f"'{ast.unparse(node)}' is not allowed; {_GRAMMAR}")
        return "unknown"
    wanted, operands = form
    for operand in operands:
        found = _kind(operand, parameters, problems)
        if found not in (wanted, "unknown"):
            shown = ast.unparse(operand)
            problems.append(f"'{shown}' is a {found}, and a {wanted} is needed there")
    return wanted


def _form(node: ast.expr) -> tuple[Kind, list[ast.expr]] | None:
    """Return the type of a permitted operation and its operands, which are of the same type."""
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return "number", [left, right]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return "number", [operand]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return "truth", [operand]
        case ast.BoolOp(values=values):
            return "truth", values
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            unary = _FUNCTIONS[name].nin == 1
            return ("number", args) if unary == (len(args) == 1) and args else None
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
    kinds = [_kind(o, parameters, problems) for o in operands]
    for i, op in enumerate(node.ops):
        pair, equality = {kinds[i], kinds[i + 1]}, isinstance(op, ast.Eq | ast.NotEq)
        if "unknown" in pair or (pair == {"number"} and isinstance(op, _COMPARISONS)):
            continue
        if equality and pair == {"truth"}:
            continue
        match _label(operands[i], operands[i + 1], parameters):
            case (Choice(values=values), ast.Constant(value=value)) if equality:
                if position(value, values) is None:
                    known = nearest(str(value), [str(v) for v in values])
                    problems.append(f"{value!r} is not one of the choices.{known}")
            case _:
                shown = ast.unparse(ast.Compare(operands[i], [op], [operands[i + 1]]))
                problems.append(f"'{shown}' compares what cannot be compared")
    return "truth"


def _label(
    left: ast.expr, right: ast.expr, parameters: Mapping[str, Parameter]
) -> tuple[Parameter, ast.expr] | None:
    """Return (parameter, constant) when one side names a choice without numbers."""
    for name, other in ((left, right), (right, left)):
        if isinstance(name, ast.Name) and name.id in parameters:
            parameter = parameters[name.id]
            if _kind_of(parameter) == "label":
                return parameter, other
    return None


def _readable(column: NDArray[np.float64], parameter: Parameter) -> NDArray[Any]:
    if _kind_of(parameter) == "label" or not isinstance(parameter, Choice):
        return column
    table = np.array([v for v in parameter.values if not isinstance(v, str) and v is not None])
    # An inactive parameter's column may hold anything: its constraints are vacuous.
    return np.asarray(table[np.nan_to_num(column).astype(np.intp)])


def _value(node: ast.expr, columns: Columns, parameters: Mapping[str, Parameter]) -> Any:
    def value(child: ast.expr) -> Any:
        return _value(child, columns, parameters)

    match node:
        case ast.Constant(value=constant):
            return constant if isinstance(constant, bool) else np.float64(constant)  # type: ignore[arg-type]
        case ast.Name(id=name):
            return columns[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _ARITHMETIC[type(op)](value(left), value(right))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return np.logical_not(value(operand))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return np.negative(value(operand))
        case ast.UnaryOp(operand=operand):
            return value(operand)
        case ast.BoolOp(op=logic, values=values):
            join = np.logical_and if isinstance(logic, ast.And) else np.logical_or
            return functools.reduce(join, [value(v) for v in values])
        case ast.Call(func=ast.Name(id=name), args=args):
            function, operands = _FUNCTIONS[name], [value(a) for a in args]
            return (
                function(operands[0]) if function.nin == 1 else functools.reduce(function, operands)
            )
        case ast.Compare(left=left, ops=ops, comparators=rest):
            return _chain([left, *rest], ops, columns, parameters)
    raise AssertionError(f"unchecked node {ast.dump(node)}")  # pragma: no cover


def _chain(
    nodes: Sequence[ast.expr],
    ops: Sequence[ast.cmpop],
    columns: Columns,
    parameters: Mapping[str, Parameter],
) -> Any:
    held: Any = True
    for left, op, right in zip(nodes, ops, nodes[1:], strict=False):
        match _label(left, right, parameters):
            case (Choice(values=values), ast.Constant(value=constant)):
                name = left if isinstance(left, ast.Name) else right
                index = position(constant, values)
                equal = _value(name, columns, parameters) == index
                held = held & (equal if isinstance(op, ast.Eq) else ~equal)
            case _:
                a, b = (_value(side, columns, parameters) for side in (left, right))
                held = held & _compare(op, a, b)
    return held


def _compare(op: ast.cmpop, a: Any, b: Any) -> Any:
    if isinstance(op, ast.Lt):
        return np.less(a, b)
    if isinstance(op, ast.Gt):
        return np.greater(a, b)
    if np.asarray(a).dtype == bool:
        return np.equal(a, b) if isinstance(op, ast.Eq) else np.not_equal(a, b)
    slack = SLACK * np.maximum(np.abs(a), np.abs(b))
    slack = np.where(np.isfinite(slack), slack, 0.0)
    match op:
        case ast.LtE():
            return a <= b + slack
        case ast.GtE():
            return a >= b - slack
        case ast.Eq():
            return np.abs(a - b) <= slack
    return np.abs(a - b) > slack
