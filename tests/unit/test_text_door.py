from __future__ import annotations

from pathlib import Path

import pytest

from tests.text_door import RULES, findings

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "monitor").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES)
def test_no_module_takes_text_around_the_door(path: str) -> None:
    assert findings((ROOT / path).read_text("utf-8"), path) == []


IMPORTS = """
import os, sys, logging, traceback
import typer
from rich.markup import escape
from rich.segment import Segment
from rich.text import Text
from textual.content import Content
from textual.strip import Strip
from textual.widgets import Input, Label, Static
from monitor.ascii_json import ascii_json
from monitor.text import clean, fit
"""
DRAWN, TOAST, TITLE, WRITTEN, PARSED, LOGGED = RULES
FOUND = {
    DRAWN: [
        "Content(event.status)",
        "Content(f'x {event.status}')",
        "Segment(clean(text))",
        "Strip([Segment('x')])",
        "Strip(segments)",
        "Static(clean(text))",
        "Static(event.status, markup=False)",
        "Static('', markup=other)",
        "Label('x')",
        "Text('x')",
        "Input(value=event.status)",
        "Content(text.upper())",
        "def f(text): return Content(text)",
        "def f(event):\n    text = clean(event.a)\n    text = event.b\n    return Content(text)",
        "def f(event):\n    text = 'a'\n    text += event.b\n    return Content(text)",
        "def f(event):\n    for text in event.texts:\n        Content(text)",
        "def f(event):\n    text, other = event.texts\n    Content(text)",
        "def f(event):\n    if text := event.status:\n        Content(text)",
        "Content(fit(event.status, 3))",
        "Content(clean(a) + b)",
        "Content(clean(a) if b else c)",
        "Content(a or clean(b))",
    ],
    TOAST: [
        "self.notify('x')",
        "self.notify(clean(x), markup=True)",
        "self.notify(str(error), markup=False)",
        "self.notify(f'no {severity} there', markup=False)",
        "self.app.notify('x', title=event.status, markup=False)",
        "self.notify(message=x, markup=False)",
        "self.app.copy_to_clipboard(event.status)",
    ],
    TITLE: [
        "self.border_title = 'x'",
        "self.border_title = clean(x)",
        "widget.border_subtitle = f'{x}'",
        "self.title = event.status",
        "self.sub_title = x",
        "widget.tooltip = event.status",
        "widget.placeholder = x",
        "Button(tooltip=x)",
        "class A:\n    BORDER_TITLE = NAME.upper()",
        "class A:\n    TITLE = '[b]x'",
        "self.query_one(Static).update(clean(text))",
        "self.query_one(Static).update(text)",
    ],
    WRITTEN: [
        "print(text)",
        "print('x', text)",
        "typer.echo(str(event.id))",
        "sys.stdout.write(text)",
        "sys.stderr.write(f'{x}')",
        "sys.stdout.buffer.write(data)",
        "sys.stderr.writelines(lines)",
        "os.write(1, data)",
        "os.write(2, f'{x}'.encode())",
        "out = sys.stdout",
        "show(sys.stderr)",
        "from sys import stderr\nstderr.write(text)",
    ],
    PARSED: [
        "Content.from_markup('x')",
        "Text.from_ansi(x)",
        "escape(x)",
        "show(x, markup=True)",
        "show(x, markup=flag)",
        "Style(link=url)",
        "a = '[@click=app.quit]x[/]'",
        "self.app.open_url(x)",
        "class A(Widget):\n    def render(self): return self.text",
    ],
    LOGGED: ["logging.basicConfig()", "logging.StreamHandler(sys.stderr)", "traceback.print_exc()"],
}
NOT_FOUND = {
    DRAWN: [
        "Content('x')",
        "Content(clean(event.status))",
        "Content(f'{clean(a)} {count:,} {x:.1f} {n + 1} {len(xs)}')",
        "Content('a' if x else clean(x))",
        "Content(fit(clean(x), 3))",
        "def f(event):\n    text = clean(event.status)\n    Content(f'x {text}' if text else '')",
        "def f(n):\n    text = f'+{n:,} new' if n else ''\n    text += ' x'\n    Content(text)",
        "Strip([*line, *other])",
        "Static('/', id='x', markup=False)",
        "Input(id=x, placeholder='y')",
        "from other import Static\nStatic(x)",
    ],
    TOAST: [
        "self.notify('x', markup=False, timeout=2)",
        "self.notify(clean(str(error)), severity='error', markup=False)",
        "self.notify(f'no {clean(severity)} there', title='x', markup=False)",
        "condition.notify_all()",
        "self.app.copy_to_clipboard(clean(x))",
    ],
    TITLE: [
        "self.border_title = Content(clean(x))",
        "self.title = 'x'",
        "title = event.title",
        "alert.titled = x",
        "class A:\n    BORDER_TITLE = f'x {MINUTES // 60} h'",
        "self.query_one(Static).update(Content(clean(x)))",
        "known.update(a=1)",
    ],
    WRITTEN: [
        "print('ready', flush=True)",
        "print(clean(text), file=sys.stderr)",
        "print(ascii_json(document))",
        "sys.stdout.flush()",
        "sys.stderr.isatty()",
        "sys.stderr.write(f'{clean(x)}')",
        "file.write(text)",
        "os.write(pipe, data)",
        "os.write(2, f'evtop: {clean(x)}\\n'.encode())",
    ],
    PARSED: [
        "show(x, markup=False)",
        "a = 'click'",
        "re.escape(x)",
        "class A:\n    def render_line(self): ...",
    ],
    LOGGED: ["logging.getLogger(__name__).warning(text)", "logging.NullHandler()"],
}


def rules(sample: str) -> set[str]:
    return {finding.rule for finding in findings(f"{IMPORTS}\n{sample}\n", "monitor/widgets/sample.py")}


@pytest.mark.parametrize(("rule", "sample"), [(rule, sample) for rule in FOUND for sample in FOUND[rule]])
def test_what_goes_around_the_door_is_found(rule: str, sample: str) -> None:
    assert rule in rules(sample)


@pytest.mark.parametrize(
    ("rule", "sample"), [(rule, sample) for rule in NOT_FOUND for sample in NOT_FOUND[rule]]
)
def test_what_goes_through_the_door_is_not_found(rule: str, sample: str) -> None:
    assert rules(sample) == set()


def test_every_rule_has_samples() -> None:
    assert set(FOUND) == set(NOT_FOUND) == set(RULES)


def test_the_modules_that_draw_may_draw_only_there() -> None:
    sample = f"{IMPORTS}\nSegment(text)\n"
    assert findings(sample, "monitor/widgets/lines.py") == []
    assert len(findings(sample, "monitor/widgets/line.py")) == 1
