"""Hints in errors of wrong usage: how an argument that begins with a dash is written."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from typer.core import TyperGroup

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Form: click's UsageError, which Typer bundles and does not export."""
_HINT = "For an argument that begins with a dash, write -- before it: afterimage search -- '-5 degrees'"
_MIN_DOUBTFUL_CHARS = 3
"""Form: `-n` is an option, `-note.mp4` may be meant as a name."""


class HintingGroup(TyperGroup):
    """The group of all commands. A usage error gets a hint where an argument may have been taken for an option."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # click's Context
        """Parse the arguments; keep them for `invoke`."""
        self._arguments = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # click's Context
        """Run the subcommand. Errors: UsageError, with the hint where it may help."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            is_unknown_option = hasattr(error, "option_name") and not getattr(error, "possibilities", None)
            if "--" not in self._arguments and (is_unknown_option or _has_doubtful(self._arguments)):
                error.message = f"{error.message.rstrip('.')}. {_HINT}"  # type: ignore[attr-defined]  # see UsageError
            raise


def _has_doubtful(arguments: Sequence[str]) -> bool:
    """Tell whether an argument looks like an option, and could be a name or a question."""
    dashed = [argument for argument in arguments if argument.startswith("-") and not argument.startswith("--")]
    return any(len(argument) >= _MIN_DOUBTFUL_CHARS for argument in dashed)
