"""The command `impasto`: its endings. What it can do is imported within them, so that Ctrl-C has one line at once."""

from __future__ import annotations

import sys
import warnings

from impasto.cli.signals import ending_as_by_ctrl_c, heeding_afterwards


def message_and_code(error: BaseException) -> tuple[str, int] | None:
    """The one line of an error that is the user's to mend, and the exit code; None of any other."""
    import click

    from impasto.errors import ImpastoError, Interrupted, is_out_of_memory

    if isinstance(error, click.Abort):  # click's, of any KeyboardInterrupt
        error = error.__cause__ or error
    if isinstance(error, ImpastoError):
        return f"impasto: {error}", 2
    if isinstance(error, Interrupted):
        return str(error), 130
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return "interrupted", 130
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message(), 2
    if isinstance(error, click.ClickException):
        return f"impasto: {' '.join(error.format_message().split())}", 2
    if is_out_of_memory(error):
        return "impasto: there is not enough memory for this: choose a smaller size, or a lower --max-memory", 2
    return None


def main() -> None:
    """Entry point: an error on purpose is one line and exit code 2, an interruption exit code 130."""
    warnings.filterwarnings("ignore", module="PIL")
    code: int | None = 0
    try:
        with ending_as_by_ctrl_c():
            with heeding_afterwards():
                from impasto.cli.app import app
            code = app(standalone_mode=False)
    except BaseException as error:
        ending = message_and_code(error)
        if ending is None:
            raise
        line, code = ending
        print(line, file=sys.stderr)
    sys.exit(code or 0)
