"""Entry point of the `afterimage` command, with its Ctrl-C: imported before everything that takes long to import."""

from __future__ import annotations

import os
import signal
import sys

EXIT_INTERRUPTED = 130
"""Source: 128 + SIGINT, the shells' convention."""
_SHOW_CURSOR = "\x1b[?25h"
"""Source: ECMA-48 private mode 25; progress bars hide the cursor."""


def main() -> None:
    """Run the command line. The first Ctrl-C stops a command cleanly, the next one ends the process at once.

    During imports, and once the command is done, the first one does: nothing is lost then. None prints a traceback.
    Where SIGINT is ignored, as in the background of a shell, it stays so.
    """
    is_heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_heeded:
        signal.signal(signal.SIGINT, _end_at_once)
    from api.cli.messages import use_for_typer

    use_for_typer()
    from api.cli.main import main as run

    if is_heeded:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        run()
    finally:
        if is_heeded:
            signal.signal(signal.SIGINT, _end_at_once)


def _interrupt(*_: object) -> None:
    """Raise KeyboardInterrupt in the command; the next Ctrl-C does not wait for it to stop."""
    signal.signal(signal.SIGINT, _end_at_once)
    raise KeyboardInterrupt


def _end_at_once(*_: object) -> None:
    """End the process without cleaning up, as safe as `kill -9`: what was committed is whole, children end with it."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())
    os._exit(EXIT_INTERRUPTED)
