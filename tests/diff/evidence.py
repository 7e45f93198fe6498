"""What rules look at: the trees of queries, and the rows and columns of both answers."""

import datetime
import json
import re

from compare import joined, values_agree
from generate import MATH, literal, quote
from tree import select_text, text_of

def selects(tree):
    """A SELECT and its subqueries, each with the one around it."""
    todo = [(tree, None)]
    while todo:
        q, around = todo.pop()
        yield q, around
        todo += [(source, q) for source in q["from"] if isinstance(source, dict)]


def column_by_column(difference):
    """Whether each column is one of the fields as they are written: there is no wildcard."""
    def texts(e):
        if e[0] == "text":
            yield e[1]
        for part in e[2] if e[0] == "call" else e[1:]:
            if isinstance(part, tuple):
                yield from texts(part)
    fields = difference.tree["fields"]
    return len(fields) == len(difference.columns) - 1 and not any(
        text[:1] in "*/" for e, _ in fields for text in texts(e))


def columns_with(difference, function):
    """The columns in which a function is called; none if a wildcard makes the columns."""
    return {i + 1 for i, (e, _) in enumerate(difference.tree["fields"])
            if column_by_column(difference) and any(n == function for n, _ in calls(e))}


def has_subquery(tree):
    return any(isinstance(source, dict) for source in tree["from"])


def calls(e):
    """The calls of an expression: (name, arguments)."""
    if e[0] == "call":
        yield e[1], e[2]
    for part in e[2] if e[0] == "call" else e[1:]:
        if isinstance(part, tuple):
            yield from calls(part)


def calls_of(q):
    return [call for e, _ in q["fields"] for call in calls(e)]


def tags_of(q):
    """What it groups by but time."""
    return {g for g in q.get("group") or [] if not g.startswith("time(")}


def picks(q):
    """The tags of top() and bottom(), by which subqueries group as well."""
    return {text_of(arg) for name, args in calls_of(q) if name in ("top", "bottom")
            for arg in args[1:-1]}


def same_but(pattern, difference):
    """Both messages are the same without what the pattern matches."""
    return (re.sub(pattern, "", str(difference.ours)) ==
            re.sub(pattern, "", str(difference.theirs)))


def as_floats(text):
    return re.sub(r'integral\(("(?:[^"\\]|\\.)*"|\w+)(?:::field)?(?=[,)])',
                  r"integral(\1::float", text)


def begins(difference):
    """Whether influxd's answer is the first part of busbard's: it ended early."""
    mine, other = difference.answers()
    for a, b in zip(mine, other):
        first, then = a.get("series", []), b.get("series", [])
        for x, y in zip(first, then):
            if x["values"][:len(y["values"])] != y["values"] or x.get("tags") != y.get("tags"):
                return False
        if len(then) > len(first):
            return False
    return True


def lacks(difference, wanted=lambda row: True, text=None, skipped=()):
    """Whether influxd's answer (to text, if given) is busbard's, as far as the rows wanted go,
    without some of its series, rows and values; rows of nothing do not count, nor columns that are
    skipped."""
    mine, other = ([s for result in side for s in result.get("series", [])]
                   for side in difference.answers())
    if text is not None:
        other = difference.series_of(text) or []
    found = {(s.get("name"), str(s.get("tags"))): s for s in mine}
    for b in other:
        a = found.get((b.get("name"), str(b.get("tags"))), {"values": []})
        rows = {}
        for row in a["values"]:
            rows.setdefault(row[0], []).append(row)
        for row in filter(wanted, b["values"]):
            there = [i for i, y in enumerate(row) if i and y is not None and i not in skipped]
            if there and not any(len(full) == len(row) and all(
                    values_agree(full[i], row[i], 1e-9) for i in there)
                                 for full in rows.get(row[0], [])):
                return False
    return len(other) <= len(mine)


UNITS = {"ns": 1e-9, "u": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds_of(time, epoch):
    """Of a time in a reply."""
    if isinstance(time, str):
        plain = re.sub(r"\.\d+", "", time).replace("Z", "+00:00")
        return datetime.datetime.fromisoformat(plain).timestamp()
    return time * UNITS[epoch]


def rows_of(difference, tree):
    """What influxd has of the series that differs in answer to another SELECT."""
    at = re.match(r"result (\d+) series (\d+) ", difference.where)
    mine = difference.answers()[0][int(at.group(1))]["series"][int(at.group(2))]
    try:
        results = joined(difference.ask(select_text(tree))[1][1]).get("results", [])
    except ValueError:
        return []
    return [row for result in results for series in result.get("series", [])
            if (series.get("name"), series.get("tags")) == (mine.get("name"), mine.get("tags"))
            for row in series["values"]]


def of_wildcard(difference):
    """The field that mode() of a wildcard takes for the column that differs."""
    name = difference.columns[difference.column]
    for e, alias in difference.tree["fields"]:
        before = (alias or "mode").strip('"') + "_"
        if e[:2] == ("call", "mode") and name.startswith(before):
            return name[len(before):]
    return ""


def equally_often(difference, arg):
    """Whether two values of mode(arg) are there equally often in the interval that differs."""
    tree, column = difference.tree, difference.column
    if arg[1][:1] in "*/":
        arg = ("text", quote(of_wildcard(difference)))
    plain = {name: None for name in ("fill", "order", "limit", "offset", "slimit", "soffset")}
    rows = rows_of(difference, {**tree, **plain, "fields": [(arg, None)],
                                "group": sorted(tags_of(tree))})
    width = re.search(r"\btime\((\d+)([a-z]+)", " ".join(tree.get("group") or []))
    if width is not None:
        start = seconds_of(difference.ours[0], difference.epoch)
        length = int(width.group(1)) * UNITS[width.group(2)]
        if length % UNITS.get(difference.epoch, 1) != 0:
            return True  # the reply does not tell where the interval begins
        end = start + length
        rows = [r for r in rows if start <= seconds_of(r[0], difference.epoch) < end]
    values = [row[1] for row in rows]
    if not values and tree.get("fill") in ("linear", "previous"):
        return True  # of the intervals beside it
    return (values.count(difference.ours[column]) == values.count(difference.theirs[column]) > 0)


def group_alone(tree, series):
    """The SELECT of one of its series: its measurement, and its tags as conditions."""
    name = series["name"]
    sources = []
    for source in tree["from"]:
        policy, last = re.match(r'((?:\w+\.|"[^"]*"\.)?)(.*)$', source).groups()
        if last[:1] == "/" or last in (name, quote(name)):
            sources.append(policy + quote(name))
    where = ("paren", tree["where"]) if tree.get("where") else None
    for tag, value in sorted(series.get("tags", {}).items()):
        equal = ("text", "%s = %s" % (quote(tag), literal(value)))
        where = equal if where is None else ("bin", "AND", where, equal)
    group = [quote(tag) for tag in series.get("tags", {})]
    group += [g for g in tree.get("group") or [] if g.startswith("time(")]
    return {**tree, "from": sources, "where": where, "group": group, "slimit": None,
            "soffset": None}


def cells_of(results):
    """(measurement, tags, time) -> rows"""
    found = {}
    for s in (s for result in results for s in result.get("series", [])):
        for row in s["values"]:
            found.setdefault((s["name"], str(s.get("tags")), row[0]), []).append(row[1:])
    return found


def scattered(difference, text=None, besides="mode"):
    """Whether InfluxDB's rows (of its answer to text, if given) have what busbard's have, though in
    another order and some of them in several rows, beside what fill() gives; sums beyond all
    integers and columns of a function that is looked at by itself (what mode() takes of equals)
    aside."""
    aside = {i - 1 for i in columns_with(difference, besides)}
    # What is computed of two functions needs them in one row.
    numbers = set(MATH) | {"pow", "atan2", "log", "integral"}
    aside |= {i - 1 for i in columns_with(difference, "integral")
              if any(name not in numbers for name, _ in calls(difference.tree["fields"][i - 1][0]))}
    def agree(a, b):
        return values_agree(a, b, 1e-9) or all(
            isinstance(x, (int, float)) and abs(x) > 2 ** 53 for x in (a, b))
    mine, other = map(cells_of, difference.answers())
    if text is not None:
        other = cells_of([{"series": difference.series_of(text) or []}])
    paged = difference.tree.get("limit") is not None and mine.keys() <= other.keys()
    return (paged or mine.keys() == other.keys()) and all(
        all(i in aside or any(agree(cell, row[i]) for row in other[key])
            for cells in rows for i, cell in enumerate(cells)) for key, rows in mine.items())


def remainders(e):
    """The expressions of an expression that % divides."""
    if e[:2] == ("bin", "%"):
        yield e
    for part in e[2] if e[0] == "call" else e[1:]:
        if isinstance(part, tuple):
            yield from remainders(part)


def counted(side):
    return int(str(side).split(" ", maxsplit=1)[0])


def without_empty(document, mine):
    """An answer without the columns of nulls that busbard's has not."""
    shown = {json.dumps([s.get("name"), s.get("tags")]): s["columns"]
             for result in mine for s in result.get("series", [])}
    for result in document.get("results", []):
        for series in result.get("series", []):
            kept = shown.get(json.dumps([series.get("name"), series.get("tags")]), [])
            full = [i for i, name in enumerate(series["columns"])
                    if name in kept or any(row[i] is not None for row in series["values"])]
            series["columns"] = [series["columns"][i] for i in full]
            series["values"] = [[row[i] for i in full] for row in series["values"]]
    return document


def with_types(condition, types, fields):
    """The condition with each name that is a field somewhere told to be one, of its type, or a
    tag."""
    words = {"int": "integer", "bool": "boolean"}
    for name in types:
        kind = min(types[name])
        quoted = re.escape('"%s"' % name.replace("\\", "\\\\").replace('"', '\\"'))
        bare = r"(?<![\w\"'/])%s(?![\w\"'])" % re.escape(name)
        condition = re.sub("(%s|%s)(?!::)" % (quoted, bare),
                           r"\1::" + (words.get(kind, kind) if name in fields else "tag"),
                           condition)
    return condition


def told_series(text, condition, difference):
    """Whether InfluxDB's SHOW SERIES, told for each measurement what its fields are, lists what
    busbard's has, and not what it has not."""
    condition, page, _ = re.split(r"( (?:LIMIT|OFFSET|ORDER) |$)", condition, maxsplit=1)
    full = set()
    for name, fields in difference.fields.items():
        typed = with_types(condition, difference.types, fields)
        for policy in ["", "rp2."][:1 + difference.several_policies]:
            for series in difference.series_of("SHOW SERIES FROM %s%s WHERE %s" % (
                    policy, quote(name), typed)) or []:
                full.update(row[0] for row in series["values"])
    mine, other = ({row[0] for result in side for s in result.get("series", [])
                    for row in s["values"]} for side in difference.answers())
    return mine <= full and (page.strip() != "" or not (other - mine) & full)
