"""Help texts and errors of wrong usage in the language of the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup

from api.cli.messages import explain, translate
from api.cli.usage_hints import HintingGroup, UsageError
from api.cli.wide_text import count_cells_at_line_ends


class TranslatedGroup(HintingGroup):
    """The group of all commands, with translated help and errors."""

    def make_context(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 (click's signature)
        """Parse the arguments; `--help` shows translated texts. Errors: UsageError, translated."""
        count_cells_at_line_ends()
        translate_help(self)
        with _translated_errors():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # click's Context
        """Run the subcommand. Errors: UsageError, translated."""
        with _translated_errors():
            return super().invoke(ctx)


def translate_help(command: Any) -> None:  # noqa: ANN401 (click's Command, which Typer does not export)
    """Translate the help of a command, of its parameters and of its subcommands, in place."""
    command.help = translate_paragraphs(command.help)
    command.get_usage = partial(_translate_usage, command.get_usage)
    command.rich_help_panel = translate("Commands")
    help_option = command.get_help_option(typer.Context(command))
    for parameter in [*command.params, help_option]:
        parameter.help = translate(parameter.help or "")
        parameter.rich_help_panel = translate("Arguments" if isinstance(parameter, TyperArgument) else "Options")
    if isinstance(command, TyperGroup):
        for subcommand in command.commands.values():
            translate_help(subcommand)


def translate_paragraphs(text: str | None) -> str:
    """Translate a help text paragraph by paragraph, so that no translation depends on where lines break."""
    return "\n\n".join(translate(" ".join(paragraph.split())) for paragraph in (text or "").split("\n\n"))


def _translate_usage(get_usage: Any, ctx: Any) -> str:  # noqa: ANN401 (a method of click's Command)
    return str(get_usage(ctx)).replace("Usage:", translate("Usage:"), 1)


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Replace an error of wrong usage by one with a translated message, where there is a translation."""
    try:
        yield
    except UsageError as error:
        message = str(error.format_message())  # type: ignore[attr-defined]  # see UsageError
        if (translated := explain(message)) == message:
            raise
        raise UsageError(translated, getattr(error, "ctx", None)) from error
