"""Benchmark report: a table for people, JSON for machines, an exit code for CI."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value; `target` is its least good value, `at_least` the side of it that is good.

    A figure without a target is only reported.
    """

    name: str
    value: float
    unit: str = ""
    target: float | None = None
    at_least: bool = True

    @property
    def ok(self) -> bool:
        """Return True if the target is met, or if there is none."""
        if self.target is None:
            return True
        return self.value >= self.target if self.at_least else self.value <= self.target


def make_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options of every benchmark: `--check` and `--json FILE`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a target is missed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures and their targets")
    return parser


def report(title: str, figures: Sequence[Figure], check: bool, json_path: Path | None) -> int:
    """Print the table, write the JSON, and return the exit code: 1 where `check` is set and a target is missed."""
    table = Table(title=title, caption=describe_machine(), title_justify="left", caption_justify="left")
    for heading in ("figure", "value", "target", ""):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    for figure in figures:
        table.add_row(
            figure.name, _format_value(figure.value, figure.unit), _format_target(figure), _format_verdict(figure)
        )
    Console().print(table)
    if json_path is not None:
        rows = [{**asdict(figure), "ok": figure.ok} for figure in figures]
        json_path.write_text(
            json.dumps({"title": title, "machine": describe_machine(), "figures": rows}, indent=2) + "\n"
        )
    return int(check and not all(figure.ok for figure in figures))


def print_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table of details; nothing where it has no rows."""
    if rows:
        table = Table(*headings, title=title, title_justify="left")
        for row in rows:
            table.add_row(*map(escape, row))
        Console().print(table)


def describe_machine() -> str:
    """Return the processor's name and the number of cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{_describe_processor()}, {cores} cores"


def _describe_processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model_names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(model_names, platform.processor() or platform.machine())


def _format_value(value: float, unit: str) -> str:
    return f"{value:,.4g} {unit}".strip()


def _format_target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    return f"{'≥' if figure.at_least else '≤'} {_format_value(figure.target, figure.unit)}"


def _format_verdict(figure: Figure) -> str:
    if figure.target is None:
        return ""
    return "[green]met[/green]" if figure.ok else "[red]missed[/red]"
