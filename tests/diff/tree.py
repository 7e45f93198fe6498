"""Queries as trees: written as text, and made smaller one step at a time.

An expression is ("text", t), ("bin", op, left, right), ("paren", e) or ("call", name, [e, ...]).
A SELECT is a dict of its clauses; any other statement is {"kind": "words", "words": [...]} whose
words after the first may be left out, {"kind": "steps", "steps": [statement, ...]}, several in one
request, {"kind": "several", "parts": [statement, ...], "glue": [text, ...]}, or one whose literals
are bind parameters, {"kind": "bound", "of": statement, "seed": seed}.
"""

from bound import bind

CLAUSES = ["into", "where", "group", "fill", "order", "limit", "offset", "slimit", "soffset", "tz"]


def text_of(e):
    kind = e[0]
    if kind == "text":
        return e[1]
    if kind == "bin":
        return "%s %s %s" % (text_of(e[2]), e[1], text_of(e[3]))
    if kind == "paren":
        return "(%s)" % text_of(e[1])
    return "%s(%s)" % (e[1], ", ".join(text_of(a) for a in e[2]))


def source_text(source):
    return "(%s)" % statement_text(source) if isinstance(source, dict) else source


def select_text(q):
    fields = ["%s AS %s" % (text_of(e), alias) if alias else text_of(e) for e, alias in q["fields"]]
    parts = ["SELECT " + ", ".join(fields)]
    if q.get("into"):
        parts.append("INTO " + q["into"])
    parts.append("FROM " + ", ".join(source_text(s) for s in q["from"]))
    if q.get("where"):
        parts.append("WHERE " + text_of(q["where"]))
    if q.get("group"):
        parts.append("GROUP BY " + ", ".join(q["group"]))
    if q.get("fill"):
        parts.append("fill(%s)" % q["fill"])
    if q.get("order"):
        parts.append("ORDER BY " + q["order"])
    for name in ("limit", "offset", "slimit", "soffset"):
        if q.get(name) is not None:
            parts.append("%s %s" % (name.upper(), q[name]))
    if q.get("tz"):
        parts.append("tz('%s')" % q["tz"])
    return " ".join(parts)


def several_text(q):
    """Glue stands before the first, between all, and behind the last."""
    text = q["glue"][0]
    for part, glue in zip(q["parts"], q["glue"][1:]):
        text += statement_text(part) + glue
    return text


def statement_text(q):
    if q["kind"] == "select":
        return select_text(q)
    if q["kind"] == "several":
        return several_text(q)
    if q["kind"] == "bound":
        return bind(statement_text(q["of"]), q["seed"])[0]
    return " ".join(q["words"])


def bound_parameters(q):
    """The parameters of a request that belong to the statement."""
    return {"params": bind(statement_text(q["of"]), q["seed"])[1]} if q["kind"] == "bound" else {}


def plain_text(q):
    """The statement without bind parameters, if it means the same."""
    if q["kind"] == "bound" and bind(statement_text(q["of"]), q["seed"])[2]:
        return statement_text(q["of"])
    return statement_text(q)


def tree_of(q):
    """The SELECT that a statement is, or None."""
    q = q["of"] if q["kind"] == "bound" else q
    return q if q["kind"] == "select" else None


def steps_of(q):
    """The statements to run, one request each."""
    return q["steps"] if q["kind"] == "steps" else [q]


def texts_of(q):
    return [statement_text(s) for s in steps_of(q)]


def smaller_expressions(e):
    kind = e[0]
    if kind == "bin":
        yield e[2]
        yield e[3]
        for left in smaller_expressions(e[2]):
            yield ("bin", e[1], left, e[3])
        for right in smaller_expressions(e[3]):
            yield ("bin", e[1], e[2], right)
    elif kind == "paren":
        yield e[1]
        for inner in smaller_expressions(e[1]):
            yield ("paren", inner)
    elif kind == "call":
        if e[2]:
            yield e[2][0]
        for i, arg in enumerate(e[2]):
            if i > 0:
                yield ("call", e[1], e[2][:i] + e[2][i + 1:])
            for less in smaller_expressions(arg):
                yield ("call", e[1], e[2][:i] + [less] + e[2][i + 1:])


def smaller_lists(q, name):
    items = q[name]
    for i in range(len(items)):
        if len(items) > 1:
            yield {**q, name: items[:i] + items[i + 1:]}


def smaller_selects(q):
    windows = any(g.startswith("time(") for g in q.get("group") or [])
    for name in CLAUSES:
        if name == "where" and windows:
            continue  # without its range there might be millions of buckets, up to now
        if q.get(name) not in (None, [], ""):
            yield {**q, name: None}
    for name in ("fields", "from"):
        yield from smaller_lists(q, name)
    if q.get("group"):
        yield from smaller_lists(q, "group")
    for i, (e, alias) in enumerate(q["fields"]):
        for less, name in [(x, alias) for x in smaller_expressions(e)] + [(e, None)] * bool(alias):
            yield {**q, "fields": q["fields"][:i] + [(less, name)] + q["fields"][i + 1:]}
    for i, source in enumerate(q["from"]):
        if isinstance(source, dict):
            for less in list(source["from"]) + list(smaller_selects(source)):
                yield {**q, "from": q["from"][:i] + [less] + q["from"][i + 1:]}
    if q.get("where"):
        for less in smaller_expressions(q["where"]):
            if not windows or text_of(less).count("time ") == text_of(q["where"]).count("time "):
                yield {**q, "where": less}


def smaller_several(q):
    for i, part in enumerate(q["parts"]):
        if len(q["parts"]) > 1:
            yield {**q, "parts": q["parts"][:i] + q["parts"][i + 1:],
                   "glue": q["glue"][:i + 1] + q["glue"][i + 2:]}
        for less in smaller(part):
            yield {**q, "parts": q["parts"][:i] + [less] + q["parts"][i + 1:]}
    plain = [""] + [";"] * (len(q["parts"]) - 1) + [""]
    if q["glue"] != plain:
        yield {**q, "glue": plain}


def smaller(q):
    """Statements that are one step simpler; they need not be valid."""
    if q["kind"] == "select":
        yield from smaller_selects(q)
    elif q["kind"] == "several":
        yield from smaller_several(q)
    elif q["kind"] == "bound":
        yield q["of"]
        for less in smaller(q["of"]):
            yield {**q, "of": less}
    elif q["kind"] == "steps":
        for i, step in enumerate(q["steps"]):
            if len(q["steps"]) > 1:
                yield {**q, "steps": q["steps"][:i] + q["steps"][i + 1:]}
            for less in smaller(step):
                yield {**q, "steps": q["steps"][:i] + [less] + q["steps"][i + 1:]}
    else:
        for i in range(1, len(q["words"])):
            yield {**q, "words": q["words"][:i] + q["words"][i + 1:]}
