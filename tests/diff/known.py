"""Differences that are meant. Each has a name, why, and how it is recognised.

A matcher gets the text of the query (or the lines of a write) and the Difference. Where InfluxDB
can be asked in other words for what it should have answered, the matcher asks, and its answer to
those must be busbard's: difference.asked(text).
"""

import datetime
import re
import zoneinfo

from compare import values_agree
from evidence import (
    UNITS, as_floats, begins, calls, calls_of, column_by_column, columns_with,
    counted, equally_often, group_alone, has_subquery, lacks, of_wildcard, picks,
    remainders, same_but, scattered, seconds_of, selects, tags_of, told_series,
    with_types, without_empty)
from generate import MATH, quote
from tree import select_text, text_of

RULES = []


def known(name, why, only=""):
    """only: of InfluxDB's versions that begin so."""
    def keep(matches):
        RULES.append((name, why, only, matches))
        return matches
    return keep


def explain(text, difference, with_open=True):
    """The name of the rule that explains the difference, or None."""
    for name, _, only, matches in RULES:
        if (difference.version.startswith(only) and
                (with_open or not name.startswith("open: ")) and matches(text, difference)):
            return name
    return None


@known("true count of dropped points", "InfluxDB says dropped=0 for lines that do not parse")
def dropped_count(text, difference):
    return difference.kind == "message" and same_but(r" dropped=\d+$", difference)


@known("time of arrival", "a line without a time gets that of its arrival")
def arrival(text, difference):
    return (difference.kind == "time" and not text.upper().startswith("SELECT") and
            isinstance(difference.ours[0], int) and
            min(difference.ours[0], difference.theirs[0]) > 1700000000000000000 and
            difference.ours[1:] == difference.theirs[1:])


@known("OFFSET without LIMIT", "InfluxDB documents its answer as inconsistent")
def offset_alone(text, difference):
    """With a limit that takes everything it is consistent."""
    fuller = re.sub(r" S?LIMIT 0\b", "", text)
    words = fuller.upper()
    if " OFFSET " in words and " LIMIT " not in words:
        fuller = re.sub(r" (OFFSET \d+)", r" LIMIT 1000000 \1", fuller, flags=re.I)
    if " SOFFSET " in words and " SLIMIT " not in words:
        fuller = re.sub(r" (SOFFSET \d+)", r" SLIMIT 1000000 \1", fuller, flags=re.I)
    return fuller != text and difference.asked(fuller)


@known("integral() of integers by intervals", "InfluxDB carries a wrong value over their edges")
def integral_of_integers(text, difference):
    if "integral(" not in text or "time(" not in text or difference.kind not in (
            "value", "rows", "time", "series"):
        return False
    # What mode() takes of equals differs for itself.
    modes = columns_with(difference, "mode") if difference.tree is not None else set()
    if difference.kind == "value" and difference.column in modes:
        return False

    def without(document):
        for result in document.get("results", []):
            for series in result.get("series", []):
                series["values"] = [[cell for i, cell in enumerate(row) if i not in modes]
                                    for row in series["values"]]
        return document
    return (re.search(r"integral\([^,)]*::integer", text) is not None or
            difference.asked(as_floats(text), without, without) or
            "percentile(" in text and lacks(difference, text=as_floats(text)))


@known("which of several functions is refused", "InfluxDB goes through them in random order")
def refused_function(text, difference):
    several = difference.tree is not None and sum(
        2 if any(arg[0] == "text" and arg[1][:1] in "*/" for arg in args) else 1
        for q, _ in selects(difference.tree) for _, args in calls_of(q)) > 1
    return (difference.kind == "error" and several and
            re.match(r"unsupported .* iterator type", str(difference.ours)) is not None and
            re.match(r"unsupported .* iterator type", str(difference.theirs)) is not None)


@known("a refused function and SLIMIT", "which series InfluxDB looks at goes by shards")
def refused_by_shard(text, difference):
    return (difference.kind == "error" and " 0 series" in str(difference.theirs) and
            re.match(r"unsupported .* iterator type", str(difference.ours)) is not None and
            re.search(r" S(LIMIT|OFFSET) \d", text) is not None)


@known("the limit of intervals", "holds for subqueries, too")
def limited_subquery(text, difference):
    return (difference.kind == "error" and difference.tree is not None and
            has_subquery(difference.tree) and
            str(difference.ours).startswith("max-select-buckets limit exceeded"))


@known("influxd fell over", "the reply of influxd breaks off (a panic in its log)")
def fell_over(text, difference):
    return difference.theirs == b"broke off" or "[panic:" in str(difference.theirs)


@known("SLIMIT over several shards", "InfluxDB counts series in each shard, and so shows others; "
       "in subqueries that group by more also whenever another group comes between")
def series_limit(text, difference):
    """Each series here is one of those without the limit; in a subquery that cannot be asked."""
    page = re.compile(r" S(LIMIT|OFFSET) \d+")
    tree = difference.tree
    if page.search(text) is None or "error" in difference.kind or tree is None:
        return False
    if not has_subquery(tree):
        return difference.several_shards and difference.within(
            page.sub("", text), columns_with(difference, "mode"))
    return difference.kind in ("series", "value", "rows", "time") and any(
        difference.several_shards or (tags_of(q) | picks(around)) - tags_of(tree)
        for q, around in selects(tree) if around is not None)


@known("first and last of three series at one time",
       "the larger value; InfluxDB's depends on how many processors share the series")
def first_last_ties(text, difference):
    def smaller(a, b, name):
        same = type(a) is type(b) and a is not None
        if isinstance(a, bool) and name.startswith("first"):
            a, b = b, a  # of truths the first is the false one
        return name.startswith(("first", "last")) and same and a < b
    if not difference.ties or re.search(r"\b(first|last)\(", text) is None:
        return False
    if difference.kind == "form":
        try:
            return float(difference.ours) > float(difference.theirs)
        except (TypeError, ValueError):
            return False
    fields = difference.tree["fields"] if difference.tree is not None else []
    if difference.kind == "value" and fields and column_by_column(difference):
        e = fields[difference.column - 1][0]
        if e[0] != "call" and any(name in ("first", "last") for name, _ in calls(e)):
            return True  # computed from such a value
    return (difference.kind in ("value", "time") and
            not any(map(smaller, difference.ours, difference.theirs, difference.columns)))


@known("a bad precision is refused", "InfluxDB takes an unknown precision of a write for ns")
def bad_precision(text, difference):
    return 'invalid precision' in str(difference.ours)


def windows_in_range(q, ranged=False):
    """Whether a subquery has intervals and a query around it a range of its own."""
    ranged = ranged or q.get("where") is not None and "time " in text_of(q["where"])
    return any(ranged and any(g.startswith("time(") for g in inner.get("group") or []) or
               windows_in_range(inner, ranged) for inner in q["from"] if isinstance(inner, dict))


@known("a subquery's window that begins before the range",
       "InfluxDB's function ends its answer at the first such point")
def window_before_range(text, difference):
    if difference.tree is None or not windows_in_range(difference.tree):
        return False
    # Where that point comes last, or beside those of another source, it lacks.
    last = " DESC" in text or len(difference.tree["from"]) > 1
    return (difference.kind in ("series", "rows", "time") and lacks(difference) or
            difference.kind == "value" and last)


@known("tz() around a subquery", "InfluxDB brings its points together by windows of UTC")
def zone_around(text, difference):
    tree = difference.tree
    if tree is None or difference.kind not in ("value", "rows", "time"):
        return False
    return has_subquery(tree) and tree.get("tz") not in (None, "UTC") and "time(" in text


@known("intervals over a change of the clocks",
       "begin where the clocks show it; InfluxDB's there overlap, or leave out points or all rows")
def intervals_over_change(text, difference):
    """Of intervals with an offset, or that are no whole hours: all rows agree but those within two
    intervals of a change or the day behind it, and what InfluxDB has lost then: rows, values,
    series."""
    found = re.search(r"\btime\((\d+)([mhdw])(,[^)]*)?\).* tz\('([^']+)'\)", text)
    if found is None or difference.kind not in ("time", "value", "rows", "series"):
        return False
    reach = int(found.group(1)) * UNITS[found.group(2)]
    zone = zoneinfo.ZoneInfo(found.group(4))
    even = found.group(3) is None and reach % 3600 == 0
    if reach <= 3600 or even and "fill(linear)" not in text:
        return False

    def quiet(row):
        at = seconds_of(row[0], difference.epoch)
        return len({datetime.datetime.fromtimestamp(at + by, zone).utcoffset()
                    for by in (-max(2 * reach, 90000), 2 * reach)}) == 1

    # What is put between two rows depends on how many intervals are there.
    plain = text.replace("fill(linear)", "fill(none)")
    return lacks(difference, quiet, plain if plain != text else None)


@known("integers beyond 64 bits", "sum says so, mean is right; InfluxDB's wrap around")
def integer_overflow(text, difference):
    floats = re.sub(r'\b(sum|mean)\(("(?:[^"\\]|\\.)*"|\w+)\)', r"\1(\2::float)", text)
    if difference.kind == "value" and re.search(r"\b((sum|mean)\([*/]|moving_average\()",
                                                text) is not None:
        return difference.large
    return ("beyond the range of integers" in str(difference.ours) or
            difference.kind in ("value", "rows", "time", "series") and floats != text and
            difference.asked(floats))


@known("a backslash before an escaped comma or blank",
       "stays in the name; InfluxDB cannot select it")
def backslash_in_name(text, difference):
    return (not text.upper().startswith("SELECT") and
            re.search(r"\\\\[,= ]", text) is not None)


@known("a negative interval", "is an error; InfluxDB answers one interval of no meaning")
def negative_interval(text, difference):
    return (re.search(r"\btime\( *- *\d", text, re.I) is not None and
            str(difference.ours) == "GROUP BY time() gives too many intervals")


@known("durations that do not fit", "are refused; InfluxDB takes those that wrap to above zero")
def far_duration(text, difference):
    found = re.search(r"overflowed duration (\d+)(\w+):", str(difference.ours))
    if found is None or "overflowed duration" in str(difference.theirs):
        return False
    size = {"n": 1, "ns": 1, "u": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9,
            "h": 3600 * 10**9, "d": 86400 * 10**9, "w": 604800 * 10**9}[found.group(2)]
    return 0 <= int(found.group(1)) * size % 2 ** 64 < 2 ** 63


@known("numbers beyond 64 bits as times", "are the last time; InfluxDB's go by the processor")
def number_as_time(text, difference):
    found = re.findall(r"\btime *[<>=]+ *-?(\d+\.\d*)", text)
    return (difference.kind in ("series", "rows", "value", "time") and
            any(float(number) >= 2 ** 63 for number in found))


@known("times that do not fit", "are refused; 1.6.7 wraps them around", "1.6")
def far_time(text, difference):
    return "time outside range" in str(difference.ours) and "204 " in str(difference.theirs)


@known("all reasons of a partial write", "InfluxDB gives only those of lines that do not parse")
def all_reasons(text, difference):
    mine, other = (str(side).replace("partial write: ", "").rsplit(" dropped=", 1)[0].split("\n")
                   for side in (difference.ours, difference.theirs))
    return difference.kind == "message" and other == [line for line in mine if line in other]


@known("a comment with a quotation mark", "ends with its line; InfluxDB's with the next such mark")
def quoted_comment(text, difference):
    return any(line.lstrip().startswith("#") and '"' in line for line in text.split("\n"))


@known("fields of two types by INTO", "which of them is first; InfluxDB writes shard by shard")
def types_into(text, difference):
    return all("field type conflict" in str(side) for side in (difference.ours, difference.theirs))


@known("one type for a field", "InfluxDB allows one in each shard")
def type_by_shard(text, difference):
    return "field type conflict" in str(difference.ours) and "204 " in str(difference.theirs)


@known("mode() of values that are there equally often",
       "the earliest; InfluxDB's sort is not stable beyond twelve points")
def modes(text, difference):
    """In a subquery, or below another function, it cannot be asked for. In JSON what comes of it
    may be null on both sides, in CSV not."""
    if difference.kind == "form":
        return "mode(" in text and {difference.ours, difference.theirs} <= {"", "+Inf", "-Inf"}
    if difference.tree is None or difference.kind not in ("value", "time", "series", "rows"):
        return False
    plain = any(e[:2] == ("call", "mode") for e, _ in difference.tree["fields"])
    if difference.kind in ("series", "rows") and plain:
        return False
    found = [args[0] for q, _ in selects(difference.tree) for name, args in calls_of(q)
             if name == "mode"]
    if not found or has_subquery(difference.tree) or difference.kind != "value":
        return bool(found) and (has_subquery(difference.tree) or not plain)
    fields = [e for e, _ in difference.tree["fields"]]
    at = difference.column - 1
    if not column_by_column(difference):
        if difference.columns[at + 1] == "mode":
            return equally_often(difference, next(e[2][0] for e in fields
                                                  if e[:2] == ("call", "mode")))
        return not plain or (of_wildcard(difference) != "" and
                             equally_often(difference, ("text", "*")))
    if fields[at][:2] == ("call", "mode"):
        return equally_often(difference, fields[at][2][0])
    return any(name == "mode" for name, _ in calls(fields[at]))


@known("sample() of rows of one time", "InfluxDB's sort is not stable")
def sampled_ties(text, difference):
    """The times agree, and without a limit the rows, in another order."""
    ties = difference.ties or "(SELECT" in text  # whose groups have the times of intervals
    if not ties or difference.kind != "value" or "sample(" not in text:
        return False
    mine, other = ([[s.get("name"), s.get("tags"), sorted(map(str, s["values"]))]
                    for result in side for s in result.get("series", [])]
                   for side in difference.answers())
    return difference.ours[0] == difference.theirs[0] and (
        mine == other or "LIMIT" in text or "(SELECT" in text)


@known("ties among many", "the earliest; InfluxDB's sort is not stable beyond twelve points")
def unstable_sort(text, difference):
    """Another row of the same value: of the only function, whose own column agrees."""
    if difference.tree is None or difference.kind not in ("value", "time"):
        return False
    selecting = ("percentile", "top", "bottom")

    def functions(q):
        return [name for name, _ in calls_of(q) if name not in MATH + ["pow", "atan2", "log"]]
    alone = all(name.startswith(selecting) for name in difference.columns[1:])
    if not alone and not any(len(set(functions(q))) == 1 and functions(q)[0] in selecting
                             for q, _ in selects(difference.tree)):
        return False
    own = {i for name in selecting for i in columns_with(difference, name)}
    own = own or {i for i, name in enumerate(difference.columns) if name.startswith(selecting)}
    return has_subquery(difference.tree) or all(
        values_agree(difference.ours[i], difference.theirs[i], 1e-9) for i in own)


@known("abs() of negative integers", "is their absolute value, as in 1.8; 1.6.7 leaves them",
       "1.6")
def absolute(text, difference):
    number = (int, float)
    return ("abs(" in text and difference.kind == "value" and
            all(abs(a) == abs(b) if isinstance(a, number) and isinstance(b, number) else a == b
                for a, b in zip(difference.ours, difference.theirs)))


@known("integral() of several groups", "InfluxDB ends them in random order, and loses some")
def integral_of_groups(text, difference):
    """Asked one by one it answers as busbard does. In a subquery that cannot be asked, nor where
    a wildcard takes the fields of several measurements."""
    tree = difference.tree
    if tree is None or difference.kind not in ("series", "rows", "value", "time", "form"):
        return False
    grouped = any(name == "integral" and (tags_of(q) or len(q["from"]) > 1 or "/" in text)
                  for q, _ in selects(tree) for name, _ in calls_of(q))
    if not grouped or has_subquery(tree) or difference.kind == "form" or scattered(difference):
        return grouped
    if "time(" in text and scattered(difference, as_floats(text)):
        return True
    mine, other = ([s for result in side for s in result.get("series", [])]
                   for side in difference.answers())
    if any(arg[0] == "text" and arg[1][:1] in "*/" for _, args in calls_of(tree) for arg in args):
        return True
    names = {(s["name"], str(s.get("tags"))) for s in mine}
    wanted = range(len(tree["fields"]))
    if any(name == "mode" for name, _ in calls_of(tree)):  # which differs for itself
        wanted = [i for i in wanted if any(n == "integral" for n, _ in calls(tree["fields"][i][0]))]
    fields = [tree["fields"][i] for i in wanted]
    ask = as_floats if "time(" in text else str
    pages = difference.several_shards and re.search(r" S(LIMIT|OFFSET) \d", text)  # by shard
    return ((pages or {(s["name"], str(s.get("tags"))) for s in other} <= names) and
            all(difference.asked_for(s, ask(select_text({**group_alone(tree, s),
                                                         "fields": fields})), wanted)
                for s in mine))


@known("a series in several shards", "counts once, as in 1.8; 1.6.7 counts it in each", "1.6")
def series_once(text, difference):
    return text.startswith("SHOW SERIES EXACT CARDINALITY") and difference.kind == "value"


@known("LIMIT beside top() and bottom()", "InfluxDB looks at the first points only")
def limited_top(text, difference):
    """Without LIMIT it looks at all; the page of rows is taken here."""
    found = re.search(r" LIMIT (\d+)(?: OFFSET (\d+))?", text)
    if not re.search(r"\b(top|bottom)\(", text) or found is None or "(SELECT" in text:
        return False
    first = int(found.group(2) or 0)

    def page(reply):
        for result in reply.get("results", []):
            for series in result.get("series", []):
                series["values"] = series["values"][first:first + int(found.group(1))]
            result["series"] = [s for s in result.get("series", []) if s["values"]]
        return reply
    return difference.asked(text.replace(found.group(), ""), page)


@known("remainders of large numbers", "the last digits of exp() and its like decide them")
def remainder(text, difference):
    """The column that differs has an operand of % with such a call."""
    if difference.tree is None or difference.kind != "value":
        return False
    large = {"exp", "pow", "tan", "integral", "stddev", "sum", "mean"}
    return any(any(name in large for name, _ in calls(e))
               for q, _ in selects(difference.tree) for field, _ in q["fields"]
               for e in remainders(field))


@known("fill(linear) across 1970", "InfluxDB rounds interval numbers before 1970 upwards")
def linear_before_1970(text, difference):
    return "fill(linear)" in text and difference.kind == "value" and difference.starts < 0


@known("SHOW of what another policy has",
       "is there, as in 1.8; 1.6.7 looks at the default one", "1.6")
def show_of_policies(text, difference):
    return (re.match("SHOW (SERIES|TAG)", text) is not None and difference.several_policies and
            difference.kind in ("series", "rows", "value"))


@known("CARDINALITY by a field", "counts nothing; InfluxDB counts series with such a row at time 0")
def row_of_1970(text, difference):
    return ("CARDINALITY" in text and " WHERE " in text and difference.ask is not None and
            difference.kind in ("series", "rows", "value") and
            bool(difference.series_of("SELECT * FROM /./ WHERE time = 0")))


@known("tags in a key of SHOW SERIES", "stand by name; InfluxDB's by the escaped name")
def order_of_tags(text, difference):
    def parts(row):
        return [sorted(re.split(r"(?<!\\),", str(cell))) for cell in row]
    return (difference.kind == "value" and difference.columns == ["key"] and
            parts(difference.ours) == parts(difference.theirs) and "\\" in str(difference.ours))


@known("fields after DELETE", "are gone with their last row, from a shard or the only policy; "
       "InfluxDB lists them until their shard has none of the measurement")
def fields_after_delete(text, difference):
    if not difference.behind_change or not difference.where.endswith("columns"):
        return False
    mine, other = difference.answers()

    def plain(document, shown):
        """Rows of one time stand in the order of their columns, those of nothing too."""
        document = without_empty(document, shown)
        for series in (s for r in document.get("results", []) for s in r.get("series", [])):
            series["values"].sort(key=str)
        return document
    return (difference.asked(text, lambda document: plain(document, mine),
                             lambda document: plain(document, mine)) or
            difference.asked(text, lambda document: plain(document, other),
                             lambda document: plain(document, other)))


@known("types of fields after DELETE", "a field without rows has none; InfluxDB goes by it")
def types_after_delete(text, difference):
    return (difference.behind_change and difference.kind == "error" and
            str(difference.ours).startswith("no error") and
            str(difference.theirs).startswith("type error"))


@known("series whose keys begin others' after DELETE",
       "are gone with their last row; InfluxDB goes on listing them")
def beginning_series(text, difference):
    if not difference.behind_change or text != "SHOW SERIES":
        return False
    mine = {row[0] for result in difference.answers()[0] for s in result.get("series", [])
            for row in s["values"]}

    def without(document):
        for result in document.get("results", []):
            for series in result.get("series", []):
                keys = [row[0] for row in series["values"]]
                series["values"] = [[key] for key in keys if key in mine or not (
                    "," not in key.replace("\\,", "") or
                    any(other != key and other.startswith(key)
                        for other in difference.keys.union(keys)))]
            result["series"] = [s for s in result.get("series", []) if s["values"]]
        return document
    return difference.asked(text, without)


@known("a measurement without rows after DELETE",
       "is gone; InfluxDB lists it with the series that it goes on listing")
def left_measurement(text, difference):
    """InfluxDB has a series of that name, whose key begins another's, and no row."""
    if not difference.behind_change or text != "SHOW MEASUREMENTS" or difference.ask is None:
        return False
    mine, other = [{row[0] for result in side for s in result.get("series", [])
                    for row in s["values"]} for side in difference.answers()]
    return mine < other and all(
        difference.series_of("SELECT * FROM " + quote(name)) == [] and
        difference.series_of("SHOW SERIES FROM " + quote(name)) for name in other - mine)


@known("a policy whose rows are all gone",
       "has no shard any more; InfluxDB's is there, and SHOW SERIES lists what other policies have")
def emptied_policy(text, difference):
    return (difference.behind_change and difference.several_policies and
            text.startswith("SHOW SERIES") and difference.kind == "series" and
            str(difference.ours) == "0 series")


@known("names after DELETE", "are listed as in 1.8; 1.6.7 keeps others", "1.6")
def names_after_delete(text, difference):
    """More or fewer columns, series or rows behind a DELETE or DROP."""
    if difference.behind_change and difference.kind == "error":
        return same_but(r"::(float|integer|string|boolean)\b", difference)
    if not difference.behind_change or difference.kind not in ("series", "rows", "value"):
        return False
    if isinstance(difference.ours, list) and difference.kind == "series":
        mine, other = set(difference.ours), set(difference.theirs)
        return mine < other or mine > other
    if difference.kind == "value":
        return text.startswith("SHOW ")
    return (difference.where.endswith("columns") is False and
            str(difference.ours)[:1].isdigit() and
            counted(difference.ours) < counted(difference.theirs))


@known("infinity and not a number are null", "InfluxDB fails to print them")
def not_finite(text, difference):
    return difference.replies is not None and b"unsupported value" in difference.replies[1]


@known("selectors of a subquery's groups",
       "they come by time, as in 1.8; 1.6.7 has them by group", "1.6")
def groups_by_time(text, difference):
    return (difference.kind in ("time", "value") and
            re.search(r"\(SELECT .*\b(min|max|first|last)\(", text) is not None)


@known("integral() by falling time", "has the time of its range's begin; InfluxDB the last of all")
def integral_descending(text, difference):
    """With other columns, in a row of its own there."""
    return (re.search(r"\bintegral\(.* DESC", text) is not None and
            difference.kind in ("time", "value", "rows", "series"))


@known("LIMIT of a subquery", "counts rows once; InfluxDB counts in each shard")
def inner_limit(text, difference):
    """It does so too where rows of another group come between: if the subquery groups by more than
    the outermost query. And what takes points in any order has it count series by series."""
    unordered = {"count", "sum", "mean", "min", "max", "first", "last", "top", "bottom"}
    if difference.tree is None or difference.kind not in ("value", "rows", "time", "series"):
        return False

    def limited(q, groups, functions):
        """Whether a subquery has such a limit; groups: by which those around it group; functions:
        those around it."""
        groups, functions = groups | tags_of(q), functions | {name for name, _ in calls_of(q)}
        for inner in q["from"]:
            if isinstance(inner, dict):
                if (inner.get("limit") or inner.get("offset")) and (
                        difference.several_shards or
                        unordered & functions or
                        (groups | tags_of(inner) | picks(q)) - tags_of(difference.tree)):
                    return True
                if limited(inner, groups | picks(q), functions):
                    return True
        return False
    return limited(difference.tree, set(), set())


@known("one name of two types in a condition", "each counts; InfluxDB reads both by one of them")
def two_types(text, difference):
    names = re.findall(r'("(?:[^"\\]|\\.)*"|\b[a-z]\w*)::(?:float|integer|string|boolean)',
                       text.partition(" WHERE ")[2])
    return difference.kind in ("series", "rows", "value", "time") and any(
        text.partition(" WHERE ")[2].count(name.strip('"')) > 1 for name in names)


@known("conditions of SHOW", "are taken as in 1.8; 1.6.7 refuses comparisons of fields", "1.6")
def show_condition(text, difference):
    return (text.startswith("SHOW ") and difference.kind == "error" and
            ("invalid tag comparison" in str(difference.theirs) or
             "invalid condition expression" in str(difference.ours)))


@known("fields in conditions of SHOW", "are taken as in 1.8; 1.6.7 knows other ones", "1.6")
def show_fields(text, difference):
    condition = text.partition(" WHERE ")[2]
    return (text.startswith("SHOW ") and difference.kind in ("series", "rows", "value") and
            (re.search(r"[<>=] -?[\d.]+|[<>=] (true|false)\b", condition) is not None or
             any(name in condition for name in difference.types)))


@known("a condition of SHOW that is none",
       "refused in words; InfluxDB prints its data structure, or nothing where nothing is stored")
def no_condition(text, difference):
    structure = re.match(r"&influxql\.\w+\{", str(difference.theirs)) is not None
    return (text.startswith("SHOW ") and difference.kind == "error" and (
        structure or text.startswith("SHOW MEASUREMENTS") and
        str(difference.ours).startswith("invalid condition expression: ")))


@known("texts of continuous queries",
       "keep their numbers, and fill(null); InfluxDB prints three decimals")
def task_text(text, difference):
    number = r"\d+\.\d+"
    mine, other = (str(side).replace(" fill(null)", "")
                   for side in (difference.ours, difference.theirs))
    return (text.startswith("SHOW CONTINUOUS") and difference.kind == "value" and
            re.sub(number, "0.0", mine) == re.sub(number, "0.0", other) and
            all(abs(float(a) - float(b)) < 0.0006
                for a, b in zip(re.findall(number, mine), re.findall(number, other))))


@known("fields of the newest shard alone",
       "SHOW knows all; InfluxDB takes a field that its newest shard has not for a tag")
def newest_shard(text, difference):
    """Told for each measurement what its fields are, it agrees."""
    head, _, condition = text.partition(" WHERE ")
    if (not re.match("SHOW (SERIES|TAG)", text) or difference.kind == "error" or
            difference.ask is None):
        return False
    if text.startswith("SHOW SERIES") and "EXACT" not in text:
        return told_series(text, condition, difference)
    head = re.sub(r" FROM .*?(?= WITH |$)", "", head)
    mine, other = ({s.get("name"): s for result in side for s in result.get("series", [])}
                   for side in difference.answers())
    for name in set(mine) | set(other):
        if mine.get(name) != other.get(name):
            quoted = '"%s"' % str(name).replace("\\", "\\\\").replace('"', '\\"')
            start, with_key, keys = head.partition(" WITH ")
            typed = with_types(condition, difference.types, difference.fields.get(name, []))
            found = difference.series_of("%s FROM %s%s%s WHERE %s" % (
                start, quoted, with_key, keys, typed))
            if found != ([mine[name]] if name in mine else []):
                return False
    return True


@known("long words in messages", "are cut")
def long_words(text, difference):
    mine, _, end = str(difference.ours).rpartition(", expected ")
    return (difference.kind in ("message", "error") and len(mine) > 200 and
            str(difference.theirs).startswith(mine) and str(difference.theirs).endswith(end))


@known("a bound regex where none may stand",
       "does not parse; InfluxDB takes it for a value that nothing equals")
def bound_regex(text, difference):
    return ("$" in text and "expected identifier, string, number, bool" in str(difference.ours) and
            str(difference.ours) != str(difference.theirs) and difference.bound_regex)


@known("the number of copies in CSV", "InfluxDB prints the column's name in its place")
def copies(text, difference):
    return (difference.kind == "form" and "SHOW RETENTION POLICIES" in text and
            difference.theirs == "replicaN")


REFUSED = "fields not supported in WHERE clause during deletion"


@known("a DELETE by what is a field in some shard",
       "is refused; InfluxDB takes a field that its newest shard has not for a tag")
def deletion_by_shard(text, difference):
    return (difference.kind == "error" and REFUSED in str(difference.ours) and
            str(difference.theirs).startswith("no error"))


@known("shards in the refusal of a DELETE by fields",
       "have other numbers, and begin on other days")
def shard_number(text, difference):
    return (difference.kind == "error" and REFUSED in str(difference.theirs) and
            (same_but(r"^shard \d+: ", difference) or re.search(r"\btime\b", text) is not None))


@known("sines of numbers with many digits before the point",
       "the last digit of the number, which may differ, is more than a turn")
def large_angle(text, difference):
    return (difference.kind == "value" and (
        re.search(r"\b(sin|cos|tan)\((exp|pow)", text) is not None or
        difference.large and re.search(r"\b(sin|cos|tan)\(.*(stddev|mean|sum|integral)\(", text)
        is not None))


@known("acos and asin beside one", "the number's last digit counts for many of theirs")
def steep_angle(text, difference):
    return (difference.kind == "value" and re.search(r"\b(acos|asin)\(", text) is not None and
            values_agree(difference.ours[difference.column], difference.theirs[difference.column],
                         1e-6))


@known("which row a selector takes of equal values at one time",
       "the series that came first; InfluxDB's is the first by its key")
def selector_ties(text, difference):
    """The time and the selector's own value agree."""
    return (difference.ties and difference.kind == "value" and
            re.search(r"\b(min|max|first|last)\(", text) is not None and
            all(a == b for a, b, name in zip(difference.ours, difference.theirs,
                                             difference.columns)
                if re.match("time|min|max|first|last", name)))


@known("a zero that is chosen by its value", "is 0; InfluxDB's may be -0")
def extreme_zeros(text, difference):
    zero = re.compile(rb"(?<=[\[,])-0(?=[\],])")
    if re.search(r"\b(min|max|spread|distinct|mode|percentile)\(", text) is None:
        return False
    if difference.kind == "form":
        return {difference.ours, difference.theirs} == {"0", "-0"}
    if difference.kind != "text":
        return False
    mine, other = difference.replies or (b"", b"")
    return (zero.sub(b"0", mine) == zero.sub(b"0", other) and
            len(zero.findall(mine)) < len(zero.findall(other)))


@known("an oscillator of sums", "their last digits decide whether one is larger than the next")
def oscillator_of_sums(text, difference):
    return (difference.kind == "value" and
            re.search(r"\b(chande_momentum_oscillator|relative_strength_index|kaufmans_\w+)\("
                      r"(stddev|mean|sum|integral)\(", text) is not None)


@known("a forecast of sums", "their last digits decide how its search goes on")
def forecast_of_sums(text, difference):
    """The times agree, and the column is a forecast of a sum or a mean."""
    return (difference.kind == "value" and difference.ours[0] == difference.theirs[0] and
            re.search(r"\bholt_winters(_with_fit)?\((sum|mean)\(", text) is not None)


@known("a group without a forecast", "is left out; InfluxDB ends the answer at the second in a row")
def no_forecast(text, difference):
    return (re.search(r"\bholt_winters(_with_fit)?\(", text) is not None and
            difference.kind in ("series", "rows") and begins(difference))


@known("a percentile without a point", "its window is left out; InfluxDB ends the whole answer")
def no_percentile(text, difference):
    """It has none of few points if less than half of them are asked for. Beside other functions
    rows of nothing come twice, or are missing at the end; so what is computed of it by fill()."""
    tree = difference.tree
    if tree is None or difference.kind not in ("series", "rows", "time", "value"):
        return False
    if not any(name == "percentile" and float(text_of(args[-1])) < 50
               for q, _ in selects(tree) for name, args in calls_of(q)):
        return False
    columns = columns_with(difference, "mode")
    if "fill(" in text:
        columns |= columns_with(difference, "percentile")
    return (lacks(difference, skipped=columns) or
            "fill(" in text and scattered(difference, besides="percentile") or
            difference.kind != "value" and "time(" in text and " LIMIT " in text)


@known("top, bottom, sample and distinct by falling time",
       "their points fall, as in 1.8; in 1.6.7 those of a window rise", "1.6")
def top_descending(text, difference):
    return (" DESC" in text.upper() and
            re.search(r"\b(top|bottom|sample|distinct)\(", text) is not None)


@known("an answer that InfluxDB changes", "asked again, it agrees")
def changing(text, difference):
    """The last resort: busbard's answer is one of those that InfluxDB gives to the same text."""
    return (re.match(r"(SELECT|SHOW)\b", text, re.I) is not None and
            re.search(r"\bINTO\b", text, re.I) is None and
            any(difference.asked(text) for _ in range(8)))
