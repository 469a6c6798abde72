#!/usr/bin/env python3
"""The API reference, one HTML page made from the public headers: ./mica docs

    docs/reference.py [FILE]     writes the page (build/reference.html)
    docs/reference.py --check    lists public functions that no comment explains

What counts: headers that mica/mica.h includes, up to a line "// ---- For ..." where one turns to
other layers, without ops (rules, no functions for users) and `namespace detail`. The text in front
of a header opens its section. A comment of `///` explains the declarations right below it, up to
the next comment or empty line; a name that the text in front of the header gives in an example
needs none, nor does a function whose body stands in the header.
"""

import html
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ["core/graph", "core/ops", "core/transform", "core/eval", "core/io", "nn", "optim", "data"]
TITLES = {"core/graph": "Arrays", "core/ops": "Operations", "core/transform": "Transforms",
          "core/eval": "Evaluation", "core/io": "Files", "nn": "Modules and losses",
          "optim": "Optimizers", "data": "Data"}
INTERNAL_CLASS = re.compile(r"public (OpWith|Op\b|ViewOp|PointwiseOp)|\bRuleOf\b")
ROW = re.compile(r"^([A-Z_]+) *\(([a-z_0-9]+), *(.*)\)$")


def public_headers():
    """As cmake/install.cmake chooses them."""
    rule = re.search(r'list\(FILTER headers EXCLUDE REGEX "(.*)"\)',
                     (ROOT / "cmake/install.cmake").read_text(encoding="utf-8"))
    internal = re.compile(rule.group(1).replace("\\\\", "\\"))
    for folder in FOLDERS:
        for header in sorted((ROOT / folder).glob("*.h")):
            path = header.relative_to(ROOT).as_posix()
            if not internal.search(path):
                yield folder, path


class Declaration:
    def __init__(self, text, owner, has_body=False, note=""):
        self.text, self.owner, self.has_body, self.note = text, owner, has_body, note

    def name(self):
        """Of a function; None for anything else."""
        head = re.sub(r"\btemplate <[^>]*(<[^>]*>[^>]*)*>", "", self.text)
        head = re.sub(r"requires\b.*?(?=\b(inline|explicit|auto|static|[A-Z]\w+) )", "", head)
        while (shorter := re.sub(r"(?<!operator)<[^<>]*>", "", head)) != head:
            head = shorter
        match = re.search(r"(operator *[^\s(]+|~?\w+) *\(", head)
        # A member that is initialised by a call, a macro or a using is no function.
        if not match or re.match(r"(using|typedef|enum|friend|static_assert|FIELDS|NO_FIELDS|"
                                 r"MICA_\w*|extern|namespace)\b", self.text.strip()):
            return None
        if "=" in head[:match.start()] and "operator" not in head:
            return None
        return match.group(1)


class Group:
    """Declarations and the comment that explains them."""

    def __init__(self, comment):
        self.comment, self.declarations = comment, []


def parse(path):
    """The text in front of a header and its groups."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    intro = []
    while lines and lines[0].startswith("//"):
        intro.append(lines.pop(0)[3:])
    groups, group = [], None
    comment, text = [], ""
    scopes = []  # what each open brace belongs to: "namespace", a class's name, or "skip"
    public = []
    for raw in lines:
        if raw.startswith("// ----"):
            break
        line = raw.strip()
        skipped = "skip" in scopes
        if line.startswith("///") and not skipped:
            if not text:
                comment.append(line[4:])
            continue
        if line.startswith(("#", "//")) or raw.endswith("\\"):
            continue
        line, _, note = line.partition(" // ")
        line = line.rstrip()
        if not line:
            if not text:
                group, comment = None, []
            continue
        if re.match(r"(public|private|protected):$", line):
            public[-1] = line == "public:"
            group, comment = None, []
            continue
        text = f"{text} {line}".strip() if text else line
        if text.count("(") > text.count(")"):
            continue
        opens = text.count("{") - text.count("}")
        if opens > 0:
            kind = re.match(r"(?:template <.*?> )?(?:requires .*? )?(class|struct|namespace) *"
                            r"([\w:]*)[^;(]*\{$", text)
            if kind and kind.group(1) == "namespace":
                scopes.append("skip" if "detail" in kind.group(2) else "namespace")
                public.append(True)
                text, group, comment = "", None, []
                continue
            if kind and not skipped:
                hidden = INTERNAL_CLASS.search(text) or (public and not public[-1])
                scopes.append("skip" if hidden else kind.group(2))
                if not hidden:
                    groups.append(Group(comment))
                    groups[-1].declarations.append(
                        Declaration(text[:-1].strip(), owner(scopes[:-1])))
                public.append(kind.group(1) == "struct")
                text, group, comment = "", None, []
                continue
            # The body of a function, or an initialiser: read on to its end.
            if text.count("{") > text.count("}"):
                continue
        if line.startswith("}") and opens < 0:
            if scopes:
                scopes.pop()
                public.pop()
            text, group, comment = "", None, []
            continue
        if not (text.endswith(";") or text.endswith("}")):
            continue
        if not skipped and (not public or public[-1]):
            if comment or group is None:
                group = Group(comment)
                groups.append(group)
            group.declarations.append(
                Declaration(signature(text), owner(scopes), text.endswith("}"), note))
        text, comment = "", []
    return intro, [g for g in groups if g.declarations]


def owner(scopes):
    return next((scope for scope in reversed(scopes) if scope not in ("namespace", "skip")), None)


def signature(text):
    """A declaration without its body."""
    depth = 0
    for i, c in enumerate(text):
        depth += {"(": 1, ")": -1}.get(c, 0)
        if depth == 0 and c == "{" and ")" in text[:i] and not text[:i].rstrip().endswith("="):
            return re.sub(r"\s*:\s+\w+[({].*$", "", text[:i].strip()) + ";"
    return text


def unexplained(path, intro, groups):
    shown = "\n".join(intro)
    for group in groups:
        for declaration in group.declarations:
            name = declaration.name()
            # What a short body shows needs no words.
            if name is None or group.comment or declaration.has_body or declaration.text.rstrip(";").endswith(
                    ("= default", "= delete", "override", "= 0")):
                continue
            if name == declaration.owner or name.startswith(("~", "operator")):
                continue  # constructors are explained with their class
            if not re.search(rf"\b{re.escape(name)}\b", shown):
                yield f"{path}: {declaration.text}"


def paragraphs(lines):
    """Comment lines as HTML: indented by three blanks or more is code."""
    out, text, code = [], [], []

    def flush():
        if text:
            out.append(f"<p>{inline(' '.join(text))}</p>")
        if code:
            out.append(f"<pre>{html.escape(chr(10).join(code).strip(chr(10)))}</pre>")
        text.clear()
        code.clear()

    for line in lines:
        if line.startswith("  ") and not text:
            code.append(line[2:])
        elif not line.strip():
            if code:
                code.append("")
            else:
                flush()
        else:
            if code:
                flush()
            text.append(line.strip())
    flush()
    return "\n".join(out)


def inline(text):
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


def rows(path):
    """The functions that a header takes from a table beside it."""
    table = (ROOT / path).with_suffix(".def")
    if not table.exists() or not path.startswith("core/"):
        return ""
    cells = []
    for line in table.read_text(encoding="utf-8").splitlines():
        match = ROW.match(line.strip())
        if match:
            kind, name, rest = match.groups()
            formula = split_cells(rest)
            at = {"elementwise": 2, "reduce": 1}.get(table.stem)
            value = formula[at] if at is not None and at < len(formula) else ""
            arguments = "x, y" if kind in ("BINARY", "COMPARE") else "x"
            cells.append(f'<tr id="{name}"><td><code>{name}({arguments})</code></td>'
                         f"<td><code>{html.escape(value)}</code></td></tr>")
    return f"<table>{''.join(cells)}</table>" if cells else ""


def split_cells(text):
    cells, depth, start = [], 0, 0
    for i, c in enumerate(text + ","):
        depth += {"(": 1, "<": 0, ")": -1}.get(c, 0)
        if c == "," and depth == 0:
            cells.append(text[start:i].strip())
            start = i + 1
    return cells


STYLE = """body{margin:0;display:flex;font:15px/1.5 sans-serif;color:#222}
nav{width:17em;height:100vh;position:sticky;top:0;overflow:auto;padding:1em;background:#f5f5f3;
box-sizing:border-box;font-size:13px;flex:none}nav a{display:block}main{padding:1em 2em;max-width:60em;
min-width:0}a{color:#0b5394;text-decoration:none}pre{background:#f5f5f3;padding:.6em .9em;overflow:auto;
font-size:13px}pre.api{background:#eef3f8;margin-bottom:0}h2{border-top:1px solid #ccc;padding-top:1em}
td{padding:.1em 1em .1em 0;vertical-align:top}.inner{margin-left:1.5em}"""


def page(sections):
    nav, body, last = [], [], None
    for folder, path, intro, groups in sections:
        if folder != last:
            nav.append(f"<b>{TITLES[folder]}</b>")
            last = folder
        nav.append(f'<a href="#{path}">{pathlib.Path(path).stem}</a>')
        body.append(f'<h2 id="{path}">{html.escape(path)}</h2>{paragraphs(intro)}{rows(path)}')
        for group in groups:
            listed = [d for d in group.declarations if not re.match(r"(NO_)?FIELDS", d.text)]
            if not listed:
                continue
            inner = " class=inner" if listed[0].owner else ""
            code = html.escape("\n".join(f"{d.text}  // {d.note}" if d.note else d.text
                                         for d in listed))
            body.append(f"<div{inner}><pre class=api>{code}</pre>{paragraphs(group.comment)}</div>")
    return (f"<!doctype html><html lang=en><meta charset=utf-8><title>Mica: API reference</title>"
            f"<style>{STYLE}</style><nav><h3>Mica</h3>{''.join(nav)}</nav><main><h1>API reference</h1>"
            f"<p>Everything is in <code>namespace mica</code> and comes with "
            f"<code>#include &lt;mica/mica.h&gt;</code>.</p>{''.join(body)}</main></html>\n")


def main():
    sections = [(folder, path, *parse(path)) for folder, path in public_headers()]
    count = sum(1 for *_, groups in sections for g in groups for d in g.declarations if d.name())
    if sys.argv[1:] == ["--check"]:
        found = [problem for _, path, intro, groups in sections
                 for problem in unexplained(path, intro, groups)]
        print("\n".join(found + [f"reference: {count} functions in {len(sections)} headers, "
                                 f"{len(found)} without a comment"]))
        return 1 if found or count < 100 else 0
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build/reference.html"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page(sections), encoding="utf-8")
    print(f"{out}: {count} functions in {len(sections)} headers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
