"""Every function that a user may write is found by another process, or refused with advice."""

import importlib.util
import os
import subprocess
import sys
import textwrap

import pytest

from maquette.errors import ExecutorError
from maquette.executor import Process, open_executor
from maquette.executor.function import describe
from maquette.testing.executors import finish, task
from maquette.trial import State
from tests.executor import jobs

HAS_CLOUDPICKLE = importlib.util.find_spec("cloudpickle") is not None

STUDY = """
    import pathlib, sys
    print("imported", __name__)

    def fn(trial):
        return helper(trial) + 0.5

    def helper(trial):
        return trial["x"]

    def main():
        from maquette.executor import open_executor
        from maquette.testing.executors import finish, task
        executor = open_executor("process", fn, 2)
        try:
            executor.start(task(pathlib.Path(sys.argv[1]), x=1.0))
            print(finish(executor)[0])
        finally:
            executor.close()
"""


def script(tmp_path, text, *, mode=(), name="study.py", **options):
    path = tmp_path / name
    path.write_text(textwrap.dedent(text))
    return subprocess.run(
        [sys.executable, *(mode or (path,)), tmp_path / "trials"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        check=False,
        **options,
    )


@pytest.mark.parametrize(
    "last", ['if __name__ == "__main__":\n        main()', "main()"], ids=["guarded", "bare"]
)
@pytest.mark.parametrize("name", ["study.py", "my study"])
def test_a_script_is_executed_up_to_the_line_that_runs(last, name, tmp_path):
    done = script(tmp_path, f"{STUDY}\n    {last}\n    print('the end', __name__)", name=name)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("imported __main__\nOutcome(job=0, state=<State.DONE: 'done'>")
    assert "{'loss': 1.5}" in done.stdout
    assert done.stdout.count("imported") == 1  # what the server prints does not mix in


def test_a_guarded_script_may_start_processes_of_its_own(tmp_path):
    text = STUDY.replace("return trial", "return square(trial").replace('"x"]\n', '"x"])\n')
    text += """
    def square(x):
        import multiprocessing
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(pow, (x, 2))

    if __name__ == "__main__":
        main()
    """
    done = script(tmp_path, text)
    assert "{'loss': 1.5}" in done.stdout, done.stderr


def test_a_module_that_is_run_is_imported_by_name(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "part.py").write_text("half = 0.5\n")
    text = STUDY.replace("0.5", "half").replace(
        "import pathlib, sys", "import pathlib, sys\n    from .part import half"
    )
    text += '\n    if __name__ == "__main__":\n        main()\n'
    done = script(tmp_path, text, name="package/study.py", mode=("-m", "package.study"))
    assert "{'loss': 1.5}" in done.stdout, done.stderr


def test_a_function_defined_after_the_first_run_is_refused(tmp_path):
    text = """
        import pathlib, sys
        from maquette.executor import open_executor

        def first(trial):
            return 1.0

        open_executor("process", first, 1).close()

        def second(trial):
            return 2.0

        open_executor("process", second, 1).close()
    """
    done = script(tmp_path, text)
    assert done.returncode == 1
    assert "'second' is not defined" in done.stderr
    assert "__main__" in done.stderr


def test_a_file_loaded_by_path_is_found_by_path(tmp_path):
    path = tmp_path / "my study.py"
    path.write_text(textwrap.dedent(STUDY))
    spec = importlib.util.spec_from_file_location("my_study", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["my_study"] = module
    try:
        spec.loader.exec_module(module)
        with_own_name = open_executor("process", module.fn, 1)
        try:
            with_own_name.start(task(tmp_path, x=2.0))
            assert finish(with_own_name)[0].metrics == {"loss": 2.5}
        finally:
            with_own_name.close()
    finally:
        del sys.modules["my_study"]


@pytest.mark.skipif(HAS_CLOUDPICKLE, reason="cloudpickle carries these")
@pytest.mark.parametrize("kind", ["lambda", "closure", "partial", "shadowed"])
def test_what_has_no_place_in_a_file_is_refused_with_advice(kind):
    from functools import partial

    def closure(trial):
        return kind

    def shadowed(trial):
        return 0.0

    shadowed.__qualname__ = "pids"
    shadowed.__module__ = jobs.__name__
    functions = {
        "lambda": lambda trial: 0.0,
        "closure": closure,
        "partial": partial(jobs.pids),
        "shadowed": shadowed,
    }
    with pytest.raises(ExecutorError, match="pip install cloudpickle"):
        describe(functions[kind])


@pytest.mark.skipif(not HAS_CLOUDPICKLE, reason="needs cloudpickle")
@pytest.mark.parametrize("fresh", [False, True])
def test_a_closure_travels_by_cloudpickle(fresh, tmp_path):
    shift = 10.0
    executor = open_executor(Process(fresh=fresh), lambda trial: trial["x"] + shift, 1)
    try:
        executor.start(task(tmp_path, x=1.0))
        assert finish(executor)[0].metrics == {"loss": 11.0}
    finally:
        executor.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise ValueError('no data here')", "no data here"),
        ("import no_such_package", "no_such_package"),
        ("import sys; sys.exit('set DATA first')", "set DATA first"),
        ("import os; print('bye', flush=True); os._exit(4)", "exit code 4"),
        ("import os; os.kill(os.getpid(), 11)", "SIGSEGV"),
    ],
)
def test_a_module_that_cannot_be_imported_there_says_why(text, words, tmp_path, monkeypatch):
    """It can be imported here, or there would be no function; there, something is missing."""
    path = tmp_path / f"broken_{abs(hash(text))}.py"
    path.write_text(
        f"import os\nif os.getpid() != {os.getpid()}:\n    {text}\ndef fn(trial):\n    return 1.0\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module(path.stem)
    with pytest.raises(ExecutorError, match=words) as caught:
        open_executor("process", module.fn, 1)
    if "bye" in text:
        assert "bye" in str(caught.value)
    executor = open_executor(Process(fresh=True), module.fn, 1)
    try:
        executor.start(task(tmp_path))
        outcome = finish(executor)[0]
        assert outcome.state is State.CRASHED
        assert words in outcome.message
    finally:
        executor.close()


def test_a_module_that_starts_threads_is_not_forked(tmp_path, monkeypatch):
    (tmp_path / "threaded.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
        "def fn(trial):\n    return float(threading.active_count())\n"
    )
    # Not imported here, where the thread would stay.
    fn = {"module": "threaded", "file": str(tmp_path / "threaded.py"), "name": "fn"}
    monkeypatch.setattr("maquette.executor.process.describe", lambda _: fn)
    executor = open_executor("process", jobs.pids, 1)
    try:
        executor.start(task(tmp_path))
        assert finish(executor)[0].metrics == {"loss": 2.0}
    finally:
        executor.close()


def test_a_session_without_a_file_is_refused_or_carried(tmp_path):
    text = textwrap.dedent(STUDY) + "\nmain()\n"
    done = script(tmp_path, "", mode=("-c", text))
    if HAS_CLOUDPICKLE:
        assert "{'loss': 1.5}" in done.stdout, done.stderr
    else:
        assert "another process cannot find the function 'fn'" in done.stderr
