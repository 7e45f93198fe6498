"""A SELECT's text back into a tree (tree.py), as far as the rules of known.py look at it.

Operators have no order here, and a condition is one text.
"""

import re

TOKEN = re.compile(r"""\s+|(?:"(?:[^"\\]|\\.)*"|\d[\d.]*[a-zµ]*|[\w.]+)(?:::\w+)?|"""
                   r"""'(?:[^'\\]|\\.)*'|"""
                   r"""[<>!]=|<>|[=!]~|[^\w\s]""")
SIGNED = re.compile(r"[-+]\d[\w.]*")
PATTERN = re.compile(r"/(?:[^/\\]|\\.)*/")
CLAUSES = ["SELECT", "INTO", "FROM", "WHERE", "GROUP", "FILL", "ORDER", "LIMIT", "OFFSET", "SLIMIT",
           "SOFFSET", "TZ"]


class Unread(Exception):
    """The text is no SELECT that this reads."""


def tokens_of(text):
    """Words, names and marks. Where an operand has to begin a number has its sign, and a slash
    begins a pattern."""
    found, at = [], 0
    while at < len(text):
        behind = found[-1] if found else ""
        begins = not re.search(r"[\w\")']$", behind) or behind.upper() in CLAUSES + ["BY", "AND"]
        match = begins and (PATTERN.match(text, at) or SIGNED.match(text, at))
        match = match or TOKEN.match(text, at)
        if match is None:
            raise Unread
        if match.group().strip():
            found.append(match.group())
        at = match.end()
    return found


def split(tokens, at_top):
    """Pieces between the tokens for which at_top, which stand outside of parentheses."""
    pieces, depth = [[]], 0
    for token in tokens:
        depth += (token == "(") - (token == ")")
        if depth == 0 and at_top(token):
            pieces.append([])
        else:
            pieces[-1].append(token)
    return pieces


def list_of(tokens):
    return split(tokens, lambda token: token == ",")


def operand(tokens):
    if not tokens:
        raise Unread
    if tokens[-1] != ")" or "(" not in tokens:
        return "text", " ".join(tokens)
    if tokens[0] == "(":
        return "paren", expression(tokens[1:-1])
    if tokens[1] == "(":
        return "call", tokens[0].lower(), [expression(arg) for arg in list_of(tokens[2:-1])]
    return "text", " ".join(tokens)


def expression(tokens):
    parts = split(tokens, lambda token: token in "+-*/%&|^" and len(tokens) > 1)
    if any(not part for part in parts):
        return "text", " ".join(tokens)  # a sign
    e, at = operand(parts[0]), len(parts[0])
    for part in parts[1:]:
        e, at = ("bin", tokens[at], e, operand(part)), at + 1 + len(part)
    return e


def field(tokens):
    alias = None
    if len(tokens) > 2 and tokens[-2].upper() == "AS":
        tokens, alias = tokens[:-2], tokens[-1]
    return expression(tokens), alias


def source(tokens):
    return select(tokens[1:-1]) if tokens[0] == "(" else "".join(tokens)


def select(tokens):
    """The tree; the same text need not come of it, but the same meaning."""
    parts, depth = {}, 0
    for token in tokens:
        depth += (token == "(") - (token == ")")
        name = token.upper()
        if name in CLAUSES and depth == 0 and name.lower() not in parts:
            part = parts.setdefault(name.lower(), [])
        elif not parts:
            raise Unread
        else:
            part.append(token)
    if "select" not in parts or not parts.get("from"):
        raise Unread
    q = {"kind": "select", "fields": [field(f) for f in list_of(parts["select"])],
         "from": [source(s) for s in list_of(parts["from"])],
         "group": [" ".join(g) for g in list_of(parts["group"][1:])] if "group" in parts else []}
    q["group"] = [re.sub(r" ?([(),]) ?", r"\1", g) for g in q["group"]]
    if "where" in parts:
        q["where"] = ("text", " ".join(parts["where"]))
    if "fill" in parts:
        q["fill"] = "".join(parts["fill"]).strip("()")
    if "order" in parts:
        q["order"] = " ".join(parts["order"][1:])
    for name in ("limit", "offset", "slimit", "soffset"):
        if name in parts:
            q[name] = int(parts[name][0])
    if "tz" in parts:
        q["tz"] = "".join(parts["tz"]).strip("()'")
    return q


def read_select(text):
    """The tree, or None if it is another statement, or one with INTO."""
    try:
        q = select(tokens_of(text.rstrip("; ")))
    except (Unread, ValueError, IndexError):
        return None
    return None if "into" in text.lower().split() else q
