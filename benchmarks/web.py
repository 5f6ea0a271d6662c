"""Benchmark of the page in a browser: its weight, when it can be used, typing, and drawing what was found.

A server over the sample archive of `make demo` runs beside Chromium on this machine.

    python -m benchmarks.web --home demo/home
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page, sync_playwright

from api.http.routes.page import BUILT
from benchmarks.report import Figure, make_parser, report
from services.container import Container
from services.settings import load_settings
from tests.support.live_server import live_server

_CHROMIUM = Path("/usr/bin/chromium")
_QUESTION = "What is the notice period once probation is over?"
_ROUNDS = 5
_DRAWN = """question => new Promise(resolve => {
  const asked = new PerformanceObserver(list => {
    const entry = list.getEntries().find(each => each.name.endsWith('/v1/search'));
    if (!entry) return;
    const look = () => document.querySelector('.grid .tile img')
      ? requestAnimationFrame(() => resolve(performance.now() - entry.responseEnd)) : requestAnimationFrame(look);
    look();
  });
  asked.observe({type: 'resource'});
  const field = document.querySelector('input[type=search]');
  field.value = question;
  field.form.requestSubmit();
})"""
"""Form: milliseconds from the end of a search's response to the picture after its results are drawn."""
_TYPED = """async () => {
  const field = document.querySelector('input[type=search]');
  const times = [];
  for (const letter of 'when does the fire truck leave') {
    const started = performance.now();
    field.value += letter;
    field.dispatchEvent(new InputEvent('input', {bubbles: true}));
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - started);
  }
  return Math.max(...times);
}"""


def main() -> int:
    """Run the command line."""
    parser = make_parser(__doc__ or "")
    parser.add_argument("--home", type=Path, default=Path("demo/home"), help="home of the sample archive")
    args = parser.parse_args()
    container = Container(load_settings("demo").model_copy(update={"home": args.home}))
    with live_server(container) as url, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        figures = [_weigh(), *_measure(browser, url)]
        browser.close()
    container.close()
    return report("the page in a browser", figures, args.check, args.json)


def _weigh() -> Figure:
    """Return the compressed size of the scripts that the first page loads."""
    scripts = re.findall(r'src="/(assets/[^"]+\.js)"', (BUILT / "index.html").read_text("utf-8"))
    kilobytes = sum((BUILT / f"{name}.gz").stat().st_size for name in scripts) / 1000
    return Figure("compressed script of the first page", kilobytes, "KB", 120, at_least=False)


def _measure(browser: Browser, url: str) -> list[Figure]:
    interactive, drawn, typed = list[float](), list[float](), list[float]()
    for _ in range(_ROUNDS):
        page = browser.new_page()
        interactive.append(_open(page, url))
        typed.append(page.evaluate(_TYPED))
        drawn.append(page.evaluate(_DRAWN, _QUESTION))
        page.close()
    return [
        Figure("the bar can be typed into after", median(interactive) / 1000, "s", 1.5, at_least=False),
        Figure("a key, the slowest", median(typed), "ms", 50, at_least=False),
        Figure("results are drawn after their response", median(drawn), "ms", 100, at_least=False),
    ]


def _open(page: Page, url: str) -> float:
    """Open the page; return the milliseconds until the bar is there."""
    page.goto(url, wait_until="commit")
    page.wait_for_selector("input[type=search]")
    milliseconds: float = page.evaluate("performance.now()")
    return milliseconds


if __name__ == "__main__":
    sys.exit(main())
