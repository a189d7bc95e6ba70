"""A lint: every text that a module gives to a terminal must come through `monitor.text`.

It reads the source and follows local names only, so that it errs on the side of finding too much: what it cannot see
to be clean is found. Then `clean(...)` where the text is shown is the answer, and costs nothing for text that is clean.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

CLEANING = {
    *("monitor.text.clean", "monitor.text.clean_row", "monitor.ascii_json.ascii_json"),
    *(
        "monitor.export.ndjson.json_line",
        "monitor.export.csv_rows.csv_line",
        "monitor.export.csv_rows.event_line",
    ),
}
"""What is clean whatever it is given."""
KEEPING_CLEAN = {"monitor.text.fit", "textual.content.Content"}
"""What is clean when its first argument is."""
COUNTING = {"len", "sum", "round", "int", "float"}
DRAWING = {
    "rich.segment.Segment": {
        *("monitor/widgets/lines.py", "monitor/widgets/cleaning.py"),
        # Filters that come after the one that cleans.
        *("monitor/fit/glyphs.py", "monitor/themes.py"),
    },
    "textual.strip.Strip": {"monitor/widgets/lines.py"},
}
"""What makes cells of text, and the modules that clean them."""
WIDGETS = {"textual.widgets.Static", "textual.widgets.Input"}
"""The widgets of Textual that may be used, with clean text."""
TITLES = {"border_title", "border_subtitle"}
PLAIN_TITLES = {"title", "sub_title", "tooltip", "placeholder"}
CLASS_TITLES = {"BORDER_TITLE", "BORDER_SUBTITLE", "TITLE", "SUB_TITLE"}
STREAMS = {f"sys.{name}" for name in ("stdout", "stderr", "__stdout__", "__stderr__")}
STREAM_MODULES = {"monitor/cli/clean_stream.py", "monitor/cli/entry.py", "monitor/terminal.py"}
"""Modules that handle the standard streams as such."""
HARMLESS = {"flush", "isatty", "fileno", "encoding", "write"}
LOGGING = {
    "logging.StreamHandler",
    "logging.basicConfig",
    "traceback.print_exc",
    "traceback.print_exception",
    "warnings.warn",
}
LOGGING_MODULES = {"monitor/cli/options.py"}
PARSING = {"from_markup", "from_ansi", "open_url", "apply_meta"}


@dataclass(frozen=True)
class Finding:
    """Where text goes around the door, and by which rule."""

    rule: str
    line: int
    source: str


def findings(source: str, path: str) -> list[Finding]:
    """What is wrong with the module at `path`, which is relative to the repository."""
    tree = ast.parse(source)
    found: list[Finding] = []
    module = _Module(tree, path)
    for scope, node in _nodes(tree, ()):
        for rule, applies in RULES.items():
            if applies(module, scope, node):
                found.append(Finding(rule, getattr(node, "lineno", 0), ast.unparse(node)[:100]))
    return found


Scope = tuple[ast.AST, ...]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _nodes(node: ast.AST, scope: Scope) -> Iterator[tuple[Scope, ast.AST]]:
    """Every node, with the nodes around it, the nearest last."""
    yield scope, node
    for child in ast.iter_child_nodes(node):
        yield from _nodes(child, (*scope, node))


@dataclass
class _Module:
    tree: ast.Module
    path: str
    names: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        dotted = self.path.removesuffix(".py").replace("/", ".")
        self.names |= {
            node.name: f"{dotted}.{node.name}" for node in self.tree.body if isinstance(node, ast.FunctionDef)
        }
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                self.names |= {name.asname or name.name: name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                self.names |= {name.asname or name.name: f"{node.module}.{name.name}" for name in node.names}

    @property
    def draws(self) -> bool:
        """Whether it has to do with Textual at all."""
        return any(name.startswith("textual") for name in self.names.values())

    def name(self, node: ast.AST) -> str:
        """The full name of what `node` names, as far as imports tell; empty for other expressions."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute) and (owner := self.name(node.value)):
            return f"{owner}.{node.attr}"
        return ""

    def is_number(self, node: ast.AST) -> bool:
        match node:
            case ast.Constant(value=int() | float()):
                return True
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.FloorDiv() | ast.Div(), left=left, right=right):
                # With text on the other side it would raise.
                return self.is_number(left) or self.is_number(right)
            case ast.Call(func=function):
                return self.name(function) in COUNTING
            case _:
                return False

    def is_clean(self, node: ast.AST | None, scope: Scope, without: frozenset[str] = frozenset()) -> bool:
        """Whether `node` can only be text of our own, numbers, and what came through the door."""

        def clean(node: ast.AST | None) -> bool:
            return self.is_clean(node, scope, without)

        match node:
            case None | ast.Constant():
                return True
            case ast.JoinedStr(values=values):
                return all(map(clean, values))
            case ast.FormattedValue(value=value, format_spec=spec):
                return clean(value) or self.is_number(value) or _is_numeric(spec)
            case ast.IfExp(body=body, orelse=other):
                return clean(body) and clean(other)
            case ast.BoolOp(values=values):
                return all(map(clean, values))
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.is_number(node) or (clean(left) and clean(right))
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return clean(left) or clean(right)
            case ast.Call(func=function, args=[first, *_]) if self.name(function) in KEEPING_CLEAN:
                return clean(first)
            case ast.Call(func=ast.Attribute(value=value, attr="encode")):
                return clean(value)
            case ast.Call(func=function):
                return self.name(function) in CLEANING or self.is_number(node)
            case ast.Name(id=name) if name not in without:
                return self._is_clean_name(name, scope, without | {name})
            case _:
                return False

    def _is_clean_name(self, name: str, scope: Scope, without: frozenset[str]) -> bool:
        function = next((node for node in reversed(scope) if isinstance(node, _FUNCTIONS)), self.tree)
        values: list[ast.AST | None] = []
        for node in ast.walk(function):
            match node:
                case ast.Assign(targets=[ast.Name(id=bound)], value=value) if bound == name:
                    values.append(value)
                case ast.AugAssign(target=ast.Name(id=bound), value=value) if bound == name:
                    values.append(value)
                case ast.AnnAssign(target=ast.Name(id=bound), value=value) if bound == name:
                    values.append(value)
                case ast.arg(arg=bound) if bound == name:
                    return False
                case _:
                    pass
        bindings = sum(
            isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
            for node in ast.walk(function)
        )
        return 0 < bindings == len(values) and all(self.is_clean(value, scope, without) for value in values)


def _is_numeric(spec: ast.AST | None) -> bool:
    """Whether a format is one that text does not have: `,`, `.1f`, `d`."""
    text = (
        "".join(str(part.value) for part in ast.walk(spec) if isinstance(part, ast.Constant)) if spec else ""
    )
    return "," in text or text.endswith(("d", "f", "g", "e", "%"))


def _keywords(call: ast.Call) -> dict[str | None, ast.expr]:
    return {keyword.arg: keyword.value for keyword in call.keywords}


def _is_false(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _builds_text(module: _Module, scope: Scope, node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = module.name(node.func)
    if name == "textual.content.Content":
        return not module.is_clean(node.args[0] if node.args else None, scope)
    if name in DRAWING:
        # A line may be made of other lines.
        of_lines = (
            bool(node.args)
            and isinstance(node.args[0], ast.List)
            and all(isinstance(element, ast.Starred) for element in node.args[0].elts)
        )
        return module.path not in DRAWING[name] and not of_lines
    if name in WIDGETS:
        keywords = _keywords(node)
        if name.endswith("Static") and not _is_false(keywords.get("markup")):
            return True
        text = (
            *node.args,
            *(value for key, value in keywords.items() if key in {"value", "placeholder", "content"}),
        )
        return not all(module.is_clean(value, scope) for value in text)
    return name.startswith(("rich.", "textual.widgets."))


def _notifies(module: _Module, scope: Scope, node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="notify"), args=args):
            keywords = _keywords(node)
            texts: Sequence[ast.expr | None] = (*args, keywords.get("message"), keywords.get("title"))
            return not _is_false(keywords.get("markup")) or not all(
                module.is_clean(text, scope) for text in texts
            )
        case ast.Call(func=ast.Attribute(attr="copy_to_clipboard"), args=args):
            return not all(module.is_clean(text, scope) for text in args)
        case _:
            return False


def _sets_title(module: _Module, scope: Scope, node: ast.AST) -> bool:
    match node:
        case ast.Assign(targets=[ast.Attribute(attr=attribute)], value=value) if module.draws:
            if attribute in TITLES:
                is_content = (
                    isinstance(value, ast.Call) and module.name(value.func) == "textual.content.Content"
                )
                return not is_content or not module.is_clean(value, scope)
            return attribute in PLAIN_TITLES and not module.is_clean(value, scope)
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in CLASS_TITLES:
            # Textual reads these as markup.
            return not module.is_clean(value, scope) or "[" in ast.unparse(value)
        case ast.keyword(arg="tooltip", value=value):
            return not module.is_clean(value, scope)
        case ast.Call(func=ast.Attribute(attr="update"), args=[value], keywords=[]) if module.draws:
            return not (isinstance(value, ast.Call) and module.name(value.func) == "textual.content.Content")
        case _:
            return False


def _writes(module: _Module, scope: Scope, node: ast.AST) -> bool:
    match node:
        case ast.Call(func=function, args=args):
            name = module.name(function)
            streams = {
                f"{stream}.{method}"
                for stream in STREAMS
                for method in ("write", "writelines", "buffer.write")
            }
            if name in {"print", "typer.echo", "typer.secho", "click.echo", "click.secho"} | streams:
                return not all(module.is_clean(text, scope) for text in args)
            if name == "os.write" and isinstance(args[0], ast.Constant) and args[0].value in {1, 2}:
                return not module.is_clean(args[1], scope)
            return False
        case ast.Attribute() | ast.Name() if (
            module.name(node) in STREAMS and module.path not in STREAM_MODULES
        ):
            around = scope[-1]
            if isinstance(around, ast.Attribute):
                return around.attr not in HARMLESS
            return not (isinstance(around, ast.keyword) and around.arg == "file")
        case _:
            return False


def _parses(module: _Module, _scope: Scope, node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr=attribute)) if attribute in PARSING:
            return True
        case ast.Call(func=function) if module.name(function).endswith("markup.escape"):
            return True
        case ast.keyword(arg="markup" | "auto_links", value=value):
            return not _is_false(value)
        case ast.keyword(arg="link" | "meta"):
            return True
        case ast.Constant(value=str(text)):
            return "@click" in text
        case ast.FunctionDef(name="render" | "render_str"):
            # Text that it returns would be read as markup.
            return module.draws
        case _:
            return False


def _logs(module: _Module, _scope: Scope, node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and module.name(node.func) in LOGGING
        and module.path not in LOGGING_MODULES
    )


RULES: dict[str, Callable[[_Module, Scope, ast.AST], bool]] = {
    "text is drawn by `Lines.strip`, or is clean `Content`": _builds_text,
    "toasts are clean, and markup=False": _notifies,
    "titles are clean `Content`": _sets_title,
    "what is written to a standard stream is clean": _writes,
    "nothing is read as markup, and nothing is clickable": _parses,
    "what is logged is cleaned by the one handler": _logs,
}
