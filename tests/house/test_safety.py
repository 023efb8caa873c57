"""Nothing that is read runs code, and no SQL is put together from texts."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

import pytest

from tests.house.test_source import FILES, NAMES

# What reads them runs what stands in them.
FORMATS = {
    "cloudpickle", "copyreg", "dill", "jsonpickle", "joblib", "marshal", "pickle", "shelve",
}  # fmt: skip
RUNNERS = {"eval", "exec", "compile", "__import__"}
READERS = {
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "pd.read_pickle",
    "pandas.read_pickle",
}
SQL = {
    "text",
    "literal_column",
    "DDL",
    "execute",
    "executemany",
    "executescript",
    "exec_driver_sql",
}

# A function that no other process can import travels so, over a pipe, and is never stored.
CARRIERS = {
    "src/maquette/executor/function.py": {"cloudpickle"},
    "src/maquette/executor/ray_cluster.py": {"cloudpickle"},
}
# Tables, views and schema steps: constants of these modules, told apart by dialect.
SCHEMA = {"src/maquette/store/migrations.py"}


def modules(node: ast.AST) -> list[str]:
    """Return the modules that a node imports, also by name or out of a package."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "", *(alias.name for alias in node.names)]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        return [a.value for a in node.args if isinstance(a, ast.Constant)]
    return []


def dangers(tree: ast.AST) -> Iterator[str]:
    """Yield what in a file could run code that was read."""
    for node in ast.walk(tree):
        yield from {m.split(".")[0] for m in modules(node)} & FORMATS
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        options = {k.arg: ast.unparse(k.value) for k in node.keywords}
        if called.removeprefix("builtins.") in RUNNERS or called in READERS:
            yield called
        if options.get("allow_pickle") == "True" or options.get("shell") == "True":
            yield called
        if called == "torch.load" and options.get("weights_only") != "True":
            yield called
        if called in ("os.system", "os.popen"):
            yield called


def built(node: ast.expr) -> bool:
    """Whether a text is put together where it stands."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return not (isinstance(node.left, ast.Constant) and isinstance(node.right, ast.Constant))
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".format", ".join"))


def is_pragma(node: ast.expr) -> bool:
    """SQLite takes no bound parameter in a pragma."""
    first = node.values[0] if isinstance(node, ast.JoinedStr) else None
    return isinstance(first, ast.Constant) and str(first.value).startswith("PRAGMA ")


def built_sql(tree: ast.AST) -> Iterator[str]:
    """Yield the calls that hand a database SQL which is no constant of the file."""
    from_alchemy = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy")
        for alias in node.names
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and node.args):
            continue
        called, first = ast.unparse(node.func), node.args[0]
        name = called.split(".")[-1]
        if name not in SQL or (name == "text" and called not in from_alchemy | {"sqlalchemy.text"}):
            continue
        literal = name in ("text", "literal_column", "DDL", "exec_driver_sql")
        constant = isinstance(first, ast.Constant) or (
            isinstance(first, ast.Name) and first.id.isupper()
        )
        if (literal and not constant) or (built(first) and not is_pragma(first)):
            yield ast.unparse(node)


def offences(find: Callable[[ast.AST], Iterator[str]]) -> dict[str, set[str]]:
    found = {
        name: set(find(ast.parse(path.read_text(encoding="utf-8"))))
        for path, name in zip(FILES, NAMES, strict=True)
    }
    return {name: what for name, what in found.items() if what}


def test_nothing_that_is_read_runs_code() -> None:
    assert offences(dangers) == CARRIERS


def test_sql_has_bound_parameters() -> None:
    assert offences(built_sql).keys() <= SCHEMA


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.memory",
        "importlib.import_module('dill')",
        "from ray import cloudpickle",
        "eval(text)",
        "builtins.exec(text)",
        "yaml.load(text)",
        "np.load(path, allow_pickle=True)",
        "torch.load(path)",
        "subprocess.run(line, shell=True)",
    ],
)
def test_a_danger_is_seen(line: str) -> None:
    assert list(dangers(ast.parse(line)))


@pytest.mark.parametrize(
    "line",
    [
        "from sqlalchemy import text\ntext(f'SELECT {x}')",
        "import sqlalchemy\nsqlalchemy.text(query)",
        "connection.execute('SELECT * FROM ' + table)",
        "connection.execute('SELECT %s' % x)",
        "connection.execute('SELECT {}'.format(x))",
        "cursor.executescript(f'DROP TABLE {x}')",
        "connection.exec_driver_sql(query)",
    ],
)
def test_sql_that_is_put_together_is_seen(line: str) -> None:
    assert list(built_sql(ast.parse(line)))


@pytest.mark.parametrize(
    "line",
    [
        "model.eval()",
        "re.compile('x')",
        "torch.load(path, weights_only=True)",
        "connection.execute(select(studies))",
        "connection.execute('SELECT 1 WHERE name = ?', (name,))",
        "connection.execute(f'PRAGMA busy_timeout={milliseconds}')",
        "from sqlalchemy import text\ntext('SELECT 1')",
        "mistakes.text(value, 'name')",
    ],
)
def test_what_is_harmless_passes(line: str) -> None:
    tree = ast.parse(line)
    assert not [*dangers(tree), *built_sql(tree)]
