"""Makes test/fixtures/text/jinja: templates with what Transformers renders of them, or that it fails.

    pip install transformers jinja2
    python scripts/goldens/jinja_templates.py            # everything below
    python scripts/goldens/jinja_templates.py SEED COUNT > random.json   # more random ones, for comparing while working

one-feature.json: one feature of Jinja each, with their `expected` made again from template, messages and variables.
random.json: small templates put together at random from a grammar; what they print is deterministic.
families.json: templates that use what published families use, in our own arrangement (chat-templates/*.jinja), with conversations and tools.
"""

import copy
import json
import random
import sys
from datetime import datetime
from pathlib import Path
from unittest import mock

from transformers.utils import chat_template_utils
from transformers.utils.chat_template_utils import render_jinja_template

OUT = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "text" / "jinja"


class Clock(datetime):
    """The time that strftime_now tells."""

    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 4, 9, 5, 7)


def expected(template, messages, add_generation_prompt=True, tools=None, documents=None, **variables):
    try:
        with mock.patch.object(chat_template_utils, "datetime", Clock):
            rendered, _ = render_jinja_template(
                conversations=[messages], chat_template=template, tools=tools, documents=documents,
                add_generation_prompt=add_generation_prompt, **{"bos_token": "<s>", "eos_token": "</s>", **variables},
            )
        text = rendered[0]
        if " at 0x" in text or "<function" in text or "<built-in" in text or "<bound" in text:
            return None
        text.encode("utf-8")
        return {"ok": text}
    except UnicodeEncodeError:
        return None
    except Exception as error:
        return {"err": f"{type(error).__name__}: {error}"[:100]}


def one_feature():
    cases = json.loads((OUT / "one-feature.json").read_text(encoding="utf-8"))
    for case in cases.values():
        case["expected"] = expected(case["t"], case["m"], tools=case.get("tools"), documents=case.get("documents"), **case.get("kw", {}))
    return cases


MESSAGES = [
    {"role": "system", "content": "Be nice."},
    {"role": "user", "content": "Hi \"you\" <b> é 中 😀\n  two", "n": 1.0},
    {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1, "b": [True, None, 1.5]}}}]},
    {"role": "tool", "content": [{"type": "text", "text": "ok"}], "name": "f"},
    {"role": "user", "content": "it's"},
]
TEXTS = ["", "a", "b", "ab", "aXbX", " x ", "Hello World", "it's", 'q"q', "é中😀", "a-b-c", "line1\nline2\n", "1", "3.7", "-2", "tab\tx", "xxaxx", "<b>&", "ß", "%s!", "ABC def", "a,b,,c", "\\n", "007", "straße ǅ", "Ünï"]
NUMBERS = ["0", "1", "2", "3", "-1", "7", "10", "1.0", "2.5", "0.1", "-0.5", "1e20", "1e-7", "100", "12345678901234567890", "1.005", "3.14159"]
NAMES = ["messages", "x", "y", "nope", "messages[0]", "messages[1].content", "messages[2]", "messages[-1]", "messages[3].content", "messages[2].tool_calls", "d", "l", "s", "tools", "messages[1].n"]
FILTERS = ["upper", "lower", "title", "capitalize", "trim", "length", "list", "first", "last", "string", "int", "float", "abs", "round", "round(1)", "round(2, 'floor')", "sort", "sort(reverse=true)", "unique|list", "join", "join(', ')", "join('-', attribute='role')", "tojson", "tojson(indent=2)", "tojson(sort_keys=true)", "tojson(ensure_ascii=true)", "tojson(separators=(',', ':'))", "default('z')", "default('z', true)", "reverse|list", "replace('a', 'b')", "replace('X', '', 1)", "indent", "indent(2, true)", "indent('>', blank=true)", "wordcount", "batch(2)|list", "batch(2, 'f')|list", "slice(2)|list", "sum", "min", "max", "items|list", "dictsort", "dictsort(by='value')", "map('upper')|list", "map(attribute='role')|list", "map(attribute='content', default='q')|list", "select|list", "reject|list", "select('string')|list", "selectattr('role')|list|length", "selectattr('role', 'equalto', 'user')|list", "rejectattr('content', 'none')|map(attribute='role')|join(' ')", "truncate(5)", "truncate(5, true, '')", "center(9)", "escape", "e", "safe", "format(1)", "count", "groupby('role')|list|length", "trim('x')", "striptags", "urlencode", "map('length')|list", "pprint", "attr('x')", "d('w')", "max(attribute='role')", "sum(start=1)", "map('string')|map('upper')|list|join", "forceescape", "sort(attribute='role')|map(attribute='role')|list"]
METHODS = ["upper()", "lower()", "strip()", "strip('x')", "lstrip('ax')", "rstrip('x\\n')", "split()", "split(',')", "split('-', 1)", "rsplit('-', 1)", "rsplit(None, 1)", "split(None, 1)", "splitlines()", "splitlines(true)", "startswith('a')", "endswith(('x', 'c'))", "find('b')", "rfind('X')", "index('a')", "count('a')", "count('')", "replace('a', '')", "replace('', '.')", "title()", "capitalize()", "swapcase()", "casefold()", "isalpha()", "isdigit()", "isalnum()", "isupper()", "islower()", "isspace()", "istitle()", "isnumeric()", "isdecimal()", "isidentifier()", "isprintable()", "isascii()", "zfill(5)", "ljust(6, '.')", "rjust(6)", "center(7, '*')", "center(4)", "partition('-')", "rpartition('b')", "removeprefix('a')", "removesuffix('X')", "join(['p', 'q'])", "join(messages|map(attribute='role'))", "format(1, 'b')", "expandtabs(4)", "get('role')", "get('nope', 'dflt')", "keys()|list", "values()|list|length", "items()", "items()|list", "copy()", "index(1)", "count(1)", "append(1)", "pop()", "update({})", "__class__", "role", "content", "x", "nope", "keys()", "values()", "role.upper()", "encode()|length if false else 1", "startswith('l', 1)", "find('l', 3)", "find('o', -3, -1)"]
TESTS = ["defined", "undefined", "none", "not none", "string", "number", "integer", "float", "boolean", "mapping", "sequence", "iterable", "callable", "true", "false", "odd", "even", "divisibleby 2", "divisibleby(3)", "in [1, 'a']", "eq 1", "== 'a'", "ne 1", "gt 1", "lt(3)", "ge 1", "le 2", "sameas none", "lower", "upper", "escaped", "equalto 'ab'"]
FORMATS = ["'%s'", "'%d'", "'%5.2f'", "'%r'", "'%x'", "'%e'", "'%g'", "'%-5s|'", "'%05d'", "'%+d'", "'%s %s'", "'%%'", "'%c'", "'%.3s'", "'%o'", "'%#x'", "'%i'", "'%G'", "'% d'", "'%.0f'", "'%(role)s'", "'%10.4g|'", "'%.1e'"]
SPECS = ["{}", "{0}", "{:>5}", "{:<5}|", "{:^5}", "{:05d}", "{:.2f}", "{:,}", "{:+}", "{:x}", "{:e}", "{:g}", "{:%}", "{!r}", "{!s:>4}", "{0[0]}", "{0.role}", "{:*^7}", "{:b}", "{:#x}", "{:_}", "{:.3}", "{{}}", "{} {}", "{x}", "{:10.3f}|", "{:=+6}", "{:.1%}", "{:s}", "{:d}", "{:08,.1f}", "{:n}", "{:.0e}", "{:#.3g}"]
BINARY = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", ">", "<=", ">=", "in", "not in", "and", "or"]
SLICES = ["[0]", "[-1]", "[1:]", "[:-1]", "[::2]", "[::-1]", "[1:3]", "[-2:]", "['role']", "[5]", "[2:0:-1]", "[:0]", "['a']", "[none:2]", "[1.0]", "[true]"]


class Grammar:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, options):
        return self.random.choice(options)

    def atom(self):
        kind = self.random.randrange(10)
        if kind < 3:
            return json.dumps(self.one(TEXTS), ensure_ascii=False) if self.random.random() < 0.5 else "'" + self.one(TEXTS).replace("\\", "\\\\").replace("'", "\\'") + "'"
        if kind < 5:
            return self.one(NUMBERS)
        if kind < 8:
            return self.one(NAMES)
        return self.one(["true", "false", "none", "[]", "{}", "()", "[1, 2, 3]", "['b', 'A', 'c']", "{'b': 1, 'a': 'z'}", "(1, 'a')", "(1,)", "range(4)", "range(5, 0, -2)", "[[1, 2], [3]]", "{1: 'x', 'k': [1.0, none]}", "dict(a=1, b='c')", "[1, 1.0, true, 'a', none]", "namespace(a=1)", "'a' 'b'", "messages|map(attribute='role')"])

    def expression(self, depth):
        if depth <= 0:
            return self.atom()
        kind = self.random.randrange(14)
        inner = lambda: self.expression(depth - 1)
        if kind == 0:
            return f"{inner()} {self.one(BINARY)} {inner()}"
        if kind == 1:
            return f"({inner()} {self.one(BINARY)} {inner()})"
        if kind in (2, 3):
            return f"({inner()})|{self.one(FILTERS)}"
        if kind in (4, 5, 6):
            return f"({inner()}).{self.one(METHODS)}"
        if kind == 7:
            return f"({inner()}) is {self.one(TESTS)}"
        if kind == 8:
            # Not on constants: Jinja folds `(1)[1:]` into something undefined, at run time it is an error.
            return f"{self.one(NAMES)}{self.one(SLICES)}"
        if kind == 9:
            return f"({inner()} if {inner()} else {inner()})"
        if kind == 10:
            return f"{self.one(FORMATS)} % ({inner()})"
        if kind == 11:
            return f"'{self.one(SPECS)}'.format({inner()})"
        if kind == 12:
            return self.one([f"[{inner()}, {inner()}]", f"({inner()}, {inner()})", f"{{'k': {inner()}}}", f"not {inner()}", f"-({inner()})", f"{inner()}|{self.one(FILTERS)}"])
        return self.atom()

    def statement(self, depth):
        e = lambda: self.expression(self.random.randrange(3))
        body = lambda: self.body(depth - 1)
        name = lambda: self.one(["x", "y", "i", "ns.a", "z"])
        kind = self.random.randrange(17)
        dash = lambda: self.one(["", "", "", "-", "+"])
        tag = lambda text: "{%" + dash() + " " + text + " " + dash() + "%}"
        if depth <= 0 or kind < 3:
            return "{{" + self.one(["", "-"]) + " " + e() + " " + self.one(["", "-"]) + "}}"
        if kind == 3:
            return tag(f"if {e()}") + body() + tag("else") + body() + tag("endif")
        if kind == 4:
            return tag(f"if {e()}") + body() + tag(f"elif {e()}") + body() + tag("endif")
        if kind in (5, 6):
            return tag(f"for {self.one(['i', 'x', 'm'])} in {self.one(['messages', '[1, 2, 3]', 'range(3)', 'l', 'd', e()])}{self.one(['', '', ' if ' + e()])}") + body() + self.one(["", "{{ loop.index }}", "{{ loop.last }}{{ loop.length }}", "{{ loop.revindex0 }}", "{{ loop.cycle('p', 'q') }}", "{{ loop.changed(i) }}", "{{ loop.previtem }}{{ loop.nextitem }}", "{% if loop.index0 == 1 %}{% break %}{% endif %}", "{% if loop.first %}{% continue %}{% endif %}."]) + self.one(["", tag("else") + body()]) + tag("endfor")
        if kind == 7:
            return tag(f"for k, v in {self.one(['d.items()', 'd|items', 'd|dictsort', '[(1, 2)]', 'messages[0].items()'])}") + "{{ k }}={{ v }}" + body() + tag("endfor")
        if kind in (8, 9):
            return tag(f"set {name()} = {e()}")
        if kind == 10:
            return tag(f"set {self.one(['x', 'y'])}{self.one(['', ' | upper', ' | trim | length'])}") + body() + tag("endset")
        if kind == 11:
            return tag(f"macro f(a, b={e()})") + "{{ a }}" + body() + self.one(["", "{{ caller() if caller else '-' }}", "{{ varargs }}", "{{ kwargs }}"]) + tag("endmacro")
        if kind == 12:
            return "{{ f(" + self.one([e(), e() + ", " + e(), "a=" + e(), "1, 2, 3", "1, c=2", ""]) + ") }}"
        if kind == 13:
            return tag(f"call f({e()})") + body() + tag("endcall")
        if kind == 14:
            return tag(f"filter {self.one(['upper', 'trim', 'replace(a, b)|upper', 'length', 'indent(2)'])}") + body() + tag("endfilter")
        if kind == 15:
            return tag(f"with x = {e()}, q = x") + body() + "{{ q }}" + tag("endwith")
        return self.one(["{# c #}", "{#- c -#}", "{% raw %}{{ x }}\n{% endraw %}", "{% generation %}" + self.statement(depth - 1) + "{% endgeneration %}", "{%- raw -%} {% x %} {%- endraw -%}", "{% block b" + str(self.random.randrange(9999)) + " %}" + "{{ x }}{{ nope }}" + "{% endblock %}"])

    def body(self, depth):
        pieces = []
        for _ in range(self.random.randrange(1, 4)):
            pieces.append(self.one(["", "", "\n", " ", "  \n", "t", "\n\n  ", "T\n", "\r\n", "\t"]))
            pieces.append(self.statement(depth))
        pieces.append(self.one(["", "\n", " ", "\n  "]))
        return "".join(pieces)


VARIABLES = {"x": "ab", "d": {"b": 1, "a": "z", "10": 1.0}, "l": [3, 1.0, "a"], "s": "Hello", "f": None}
PREFIX = "{% set ns = namespace(a=0) %}"


def random_cases(seed, count):
    cases = []
    grammar = Grammar(seed)
    while len(cases) < count:
        if grammar.random.random() < 0.5:
            template = "{{ " + grammar.expression(grammar.random.randrange(1, 4)) + " }}"
        else:
            template = PREFIX + grammar.body(2)
        # Python's `indent` changes a list that it is given before it fails.
        result = expected(template, copy.deepcopy(MESSAGES), **copy.deepcopy(VARIABLES))
        if result is None or len(result.get("ok", "")) > 2000 or len(template) > 1500:
            continue
        # Two of three that fail say little.
        if "err" in result and grammar.random.random() < 0.67:
            continue
        cases.append({"t": template, "expected": result})
    return {"messages": MESSAGES, "variables": VARIABLES, "cases": cases}


TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "The \"weather\"\nof <a> city & more", "parameters": {"type": "object", "properties": {"city": {"type": "string", "enum": ["a", "é"]}, "days": {"type": "integer", "default": 3}, "limit": {"type": ["number", "null"], "default": 1.0}, "places": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "number"}}}}}, "required": ["city"]}}},
    {"type": "function", "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}}},
]


def turn(role, content, **more):
    return {"role": role, "content": content, **more}


def call(arguments, id="abc123xyz"):
    return {"id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}}


CHATS = [
    [turn("user", "Hi")],
    [turn("system", " Be brief. "), turn("user", "  2+2? "), turn("assistant", "4"), turn("user", "and\n3+3?")],
    [turn("user", "a"), turn("assistant", "<think>\nhm\n</think>\n\n    indented\n"), turn("user", "日本 😀"), turn("assistant", "c", reasoning_content="\nbecause\n")],
    [turn("system", "S"), turn("user", "w?"), turn("assistant", None, tool_calls=[call({"city": "a", "n": [1, 2.0, None, True, "\u2028"]})]), turn("tool", "{\"t\": 20}", tool_call_id="abc123xyz"), turn("assistant", "It is 20."), turn("user", "thanks")],
    [turn("user", "w?"), turn("assistant", "", tool_calls=[call({"city": "é"}), call({}, "abc123xyy")], reasoning_content="think"), turn("tool", "ok"), turn("tool", "ok2")],
    [turn("user", "w?"), turn("assistant", "", tool_calls=[call("{\"city\": \"a\"}")]), turn("tool", {"t": 20.0})],
    [turn("system", [{"type": "text", "text": "sys"}]), turn("user", [{"type": "image"}, {"type": "text", "text": " what? "}]), turn("assistant", [{"type": "text", "text": "a cat"}])],
    [turn("assistant", "first"), turn("user", "x")],
    [],
]
VARIANTS = [{}, {"enable_thinking": False, "tools_in_user_message": False, "date_string": "1 Jan 2025"}]


def families():
    templates = {path.stem: path.read_text(encoding="utf-8") for path in sorted((Path(__file__).parent / "chat-templates").glob("*.jinja"))}
    cases = []
    for name, template in templates.items():
        for chat, messages in enumerate(CHATS):
            for tools in (None, TOOLS):
                for prompt in (False, True):
                    for variant, variables in enumerate(VARIANTS):
                        result = expected(template, copy.deepcopy(messages), prompt, tools=copy.deepcopy(tools), **variables)
                        cases.append({"template": name, "chat": chat, "hasTools": tools is not None, "prompt": prompt, "variant": variant, "expected": result})
    return {"templates": templates, "chats": CHATS, "tools": TOOLS, "variants": VARIANTS, "cases": cases}


def dump(name, data):
    (OUT / name).write_text(json.dumps(data, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        json.dump(random_cases(int(sys.argv[1]), int(sys.argv[2])), sys.stdout, ensure_ascii=False)
    else:
        dump("one-feature.json", one_feature())
        dump("families.json", families())
        dump("random.json", random_cases(1, 400))
