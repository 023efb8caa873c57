"""Set up for every test: types checked at run time, one thread, fixed seeds, named services."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from pathlib import Path

# Before numpy is imported: xdist already runs one process a core.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.pop("MAQUETTE_STORE", None)

# A shell that runs the suite in the background has Ctrl-C ignored, in all that the tests start too.
signal.signal(signal.SIGINT, signal.default_int_handler)

from beartype import BeartypeConf  # noqa: E402
from beartype.claw import beartype_package, beartype_packages  # noqa: E402


class BoundaryWarning(UserWarning):
    """An argument of another type than declared reached code that checks its own input."""


# Every call inside the package is checked against its annotations. These parts take what a user
# typed, and the tests hand them wrong types on purpose to read the error: there a wrong argument
# goes through, and only what is returned must be of the declared type.
BOUNDARY = (
    "cli",
    "demo",
    "fidelity",
    "instances",
    "nn",
    "objective",
    "report",
    "scale",
    "scaling",
    "space",
    "store",
    "study",
    "table",
    "trial",
)
_SOURCE = Path(__file__).parent.parent / "src"


def _unresolvable() -> tuple[str, ...]:
    """Modules whose annotations name what they import for the type checker alone."""
    found = []
    for path in sorted(_SOURCE.glob("maquette/*/**/*.py")):
        if "if TYPE_CHECKING:" in path.read_text():
            parts = path.relative_to(_SOURCE).with_suffix("").parts
            found.append(".".join(parts).removesuffix(".__init__"))
    return tuple(found)


_common = {
    "claw_is_pep526": False,
    # Ray makes actors of the classes in the last one, and cannot of those that were changed.
    "claw_skip_package_names": (*_unresolvable(), "maquette.executor.ray_host"),
    "is_pep484_tower": True,  # an int is a float
    "is_random": False,  # hypothesis wants the same path twice
}
_strict = BeartypeConf(**_common)
_boundary = BeartypeConf(**_common, violation_param_type=BoundaryWarning)
# Must come before the first import of the package.
beartype_package("maquette", conf=_strict)
beartype_packages([f"maquette.{name}" for name in BOUNDARY], conf=_boundary)

import hypothesis  # noqa: E402
import pytest  # noqa: E402

from tests.services import IN_CI, OPTIONAL, missing  # noqa: E402

hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile(
    "ci", deadline=None, derandomize=True, database=None, print_blob=True
)
hypothesis.settings.load_profile("ci" if IN_CI else "dev")


def pytest_configure(config: pytest.Config) -> None:
    """Let wrong arguments through where the package checks them itself."""
    config.addinivalue_line("filterwarnings", "ignore::tests.conftest.BoundaryWarning")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose service is absent; in CI, fail it."""
    for mark in item.iter_markers("needs"):
        for service in mark.args:
            reason = missing(service)
            if reason is None:
                continue
            if IN_CI and service not in OPTIONAL:
                pytest.fail(f"CI must provide {service}: {reason}", pytrace=False)
            pytest.skip(f"needs {service}: {reason}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, turn a skip that a test or fixture asked for into a failure.

    A ``skipif`` mark (another platform) stays a skip; so does missing data that is optional.
    """
    report = yield
    if not (IN_CI and report.skipped and call.excinfo) or hasattr(report, "wasxfail"):
        return report
    reason = str(call.excinfo.value)
    by_mark = getattr(call.excinfo.value, "_use_item_location", False)
    optional = any(reason.startswith(f"needs {service}:") for service in OPTIONAL)
    if not (by_mark or optional or "MAQUETTE_DATA" in reason):
        report.outcome = "failed"
        report.longrepr = f"CI must provide what {item.nodeid} needs: {reason}"
    return report
