"""Constraints over several parameters: a small language of arithmetic and comparisons.

``"warmup + decay <= 1"``, ``"layers * width <= 4096"``, ``"optimizer != 'sgd' or lr < 0.1"``. Names
that are not identifiers stand in backquotes: ``"`lr/head` <= 0.1"``. The text is parsed to a tree
of permitted nodes and interpreted on whole columns; nothing is ever handed to Python to run.
"""

from __future__ import annotations

import ast
import functools
import itertools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from maquette.space import grammar
from maquette.space.parameter import Choice, Parameter, position

Columns = Mapping[str, NDArray[Any]]

# Decoded floats carry 13 significant digits: a boundary case must not fail for the fourteenth.
SLACK = 1e-12


@final
@dataclass(frozen=True, slots=True, eq=False)
class Constraint:
    """A parsed constraint: its text, the parameters that it names, and its tree.

    `tables` holds the numbers or truth values behind the indices of choices that have them.
    """

    text: str
    names: tuple[str, ...]
    tree: ast.expr
    tables: Mapping[str, NDArray[Any]]

    def holds(self, columns: Columns) -> NDArray[np.bool_]:
        """Evaluate on columns of coded values, each (n,): numbers, or indices of choices."""
        ready = {
            name: self.tables[name][columns[name].astype(np.intp)]
            if name in self.tables
            else columns[name]
            for name in self.names
        }
        with np.errstate(all="ignore"):
            return np.asarray(_value(self.tree, ready), dtype=bool)


def parse(
    text: Any, parameters: Mapping[str, Parameter], silent: Collection[str] = ()
) -> tuple[Constraint | None, list[str]]:
    """Parse a constraint; return it, or None and every problem found.

    `silent` names parameters that are faulty themselves: a constraint over them is passed over.
    """
    if not isinstance(text, str) or not text.strip():
        return None, [f"constraint {text!r}: must be a text such as 'warmup + decay <= 1'"]
    tree = _tree(text.strip())
    if isinstance(tree, str):
        return None, [f"constraint {text!r}: {tree}"]
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    found = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called}
    if found & set(silent):
        return None, []
    problems: list[str] = []
    kind = grammar.kind(tree, parameters, problems)
    used = tuple(name for name in parameters if name in found)
    if not problems and kind != "truth":
        problems.append("must be a comparison, such as 'warmup + decay <= 1'")
    if not problems and not used:
        problems.append("names no parameter")
    if problems:
        return None, [f"constraint {text!r}: {p}" for p in dict.fromkeys(problems)]
    _index_labels(tree, parameters)
    tables = {
        name: np.array(p.values)
        for name, p in parameters.items()
        if name in used and isinstance(p, Choice) and grammar.kind_of(p) != "label"
    }
    return Constraint(text.strip(), used, tree, tables), []


def _tree(text: str) -> ast.expr | str:
    """Return the tree of a text, or what is wrong with it."""
    quoted: dict[str, str] = {}

    def alias(match: re.Match[str]) -> str:
        return f" {quoted.setdefault(match[1], f'_quoted{len(quoted)}_')} "

    try:
        tree = ast.parse(re.sub(r"`([^`]+)`", alias, text).strip(), mode="eval").body
        ast.unparse(tree)  # refuses what is nested too deeply to walk
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = f" at column {error.offset}" if isinstance(error, SyntaxError) else ""
        return f"cannot be read{where}; {grammar.SUMMARY}"
    names = {short: name for name, short in quoted.items()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    return tree


def _index_labels(tree: ast.expr, parameters: Mapping[str, Parameter]) -> None:
    """Put indices in the place of the values that choices are compared with."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        operands = [node.left, *node.comparators]
        for left, right in itertools.pairwise(operands):
            match grammar.label(left, right, parameters):
                case Choice(values=values), ast.Constant() as constant:
                    constant.value = position(constant.value, values)


def _value(node: ast.expr, columns: Columns) -> Any:
    match node:
        case ast.Constant(value=bool() as truth):
            return truth
        case ast.Constant(value=int() | float() as number):
            return np.float64(number)
        case ast.Name(id=name):
            return columns[name]
        case ast.Compare(left=left, ops=ops, comparators=rest):
            sides = [_value(side, columns) for side in (left, *rest)]
            held = [_compare(op, a, b) for op, a, b in zip(ops, sides, sides[1:], strict=False)]
            return functools.reduce(np.logical_and, held)
        case ast.BinOp(left=left, op=op, right=right):
            return grammar.ARITHMETIC[type(op)](_value(left, columns), _value(right, columns))
        case ast.BoolOp(op=logic, values=values):
            join = np.logical_and if isinstance(logic, ast.And) else np.logical_or
            return functools.reduce(join, [_value(v, columns) for v in values])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return np.logical_not(_value(operand, columns))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return np.negative(_value(operand, columns))
        case ast.UnaryOp(operand=operand):
            return _value(operand, columns)
        case ast.Call(func=ast.Name(id=name), args=args):
            function, operands = grammar.FUNCTIONS[name], [_value(a, columns) for a in args]
            return functools.reduce(function, operands) if len(args) > 1 else function(*operands)
    raise TypeError(f"not a constraint: {ast.dump(node)}")


def _compare(op: ast.cmpop, a: Any, b: Any) -> Any:
    match op:
        case ast.Lt():
            return np.less(a, b)
        case ast.Gt():
            return np.greater(a, b)
    # Plain equality first: it settles infinities and truth values, where slack means nothing.
    equal = np.equal(a, b)
    if np.result_type(a, b).kind != "b":
        equal |= np.abs(a - b) < SLACK * np.maximum(np.abs(a), np.abs(b))
    match op:
        case ast.LtE():
            return np.less(a, b) | equal
        case ast.GtE():
            return np.greater(a, b) | equal
        case ast.Eq():
            return equal
    return ~equal
