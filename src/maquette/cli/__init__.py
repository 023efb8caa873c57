"""The command line: one verb a file, nothing heavy loaded before a verb runs."""

from __future__ import annotations


def main() -> None:
    """Run ``maquette``; exit codes: 0 done, 1 the job failed, 2 wrong usage, 3 interrupted."""
    try:
        from maquette.cli.app import main as run

        run()
    except KeyboardInterrupt:  # before the verb could take it
        raise SystemExit(3) from None
