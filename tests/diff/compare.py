"""Two replies to one query: equal, or in what they differ."""

import json
import math
import re

RELATIVE = 1e-12


class Difference:
    def __init__(self, kind, where, ours, theirs):
        self.kind = kind
        self.where = where
        self.ours = ours
        self.theirs = theirs
        self.columns = []  # of the rows that differ
        self.column = 0  # in which they differ first
        self.behind_change = False  # whether a DELETE or DROP ran before
        self.several_policies = False  # whether the data set has
        self.version = ""  # influxd's
        self.types = {}  # of the data set's fields
        self.fields = {}  # measurement -> its fields
        self.keys = set()  # of the data set's series
        self.bound_regex = False  # whether a regex is among the parameters
        self.large = False  # whether the data has numbers beyond 10**9
        self.ties = False  # whether the data has several series at one time
        self.starts = 0  # the first time of the data
        self.several_shards = False  # whether the data of some policy lie in several
        self.tree = None  # of the SELECT, as in tree.py; None: another statement
        self.replies = None  # bodies: busbard's, influxd's
        self.epoch = None  # of the times in the replies
        self.ask = None  # text -> (busbard's reply to the query, influxd's to the text, floor)

    def answers(self):
        """The results of busbard's reply and of influxd's."""
        return [joined(body).get("results", []) for body in (self.replies or [])] or ([], [])

    def asked(self, text, change=lambda document: document, mine=lambda document: document):
        """Whether influxd answers to another text, changed, what busbard did to the query, changed
        by `mine`."""
        if self.ask is None:
            return False
        ours, theirs, floor = self.ask(text)
        try:
            own, other = mine(joined(ours[1])), change(joined(theirs[1]))
        except ValueError:
            return False
        return "results" in other and compare_documents(own, other, floor) is None

    def asked_for(self, series, text, wanted):
        """Whether influxd answers to another text this series of busbard's alone, as far as the
        columns go that are wanted of it."""
        if self.ask is None:
            return False
        _, theirs, floor = self.ask(text)
        try:
            other = joined(theirs[1])
        except ValueError:
            return False
        found = [s for result in other.get("results", []) for s in result.get("series", [])]
        if len(wanted) == len(series["columns"]) - 1:
            return len(found) == 1 and compare_series(
                "", *({**s, "partial": None} for s in (series, found[0])), floor) is None
        # What fill() puts beside other columns is not there without them.
        rows = {row[0]: [row[i + 1] for i in wanted] for row in series["values"]}
        return all(row[0] in rows and all(values_agree(a, b, floor)
                                          for a, b in zip(rows[row[0]], row[1:]))
                   for s in found for row in s["values"])

    def series_of(self, text):
        """influxd's series for another text; None if it fails."""
        try:
            results = joined(self.ask(text)[1][1]).get("results", [{"error": ""}])
        except ValueError:
            return None
        return None if any("error" in r for r in results) else [
            s for r in results for s in r.get("series", [])]

    def within(self, text, skipped):
        """Whether each series of busbard's answer is in influxd's to another text, but for the
        columns skipped."""
        if self.ask is None:
            return False
        ours, theirs, floor = self.ask(text)
        if b"unsupported value" in theirs[1]:
            return True  # it has infinity, and cannot be printed
        try:
            mine, other = joined(ours[1]), joined(theirs[1])
        except ValueError:
            return False
        for document in (mine, other):
            drop_columns(document, skipped)
        found = {json.dumps([s.get("name"), s.get("tags")]): s
                 for result in other.get("results", []) for s in result.get("series", [])}
        return all(json.dumps([s.get("name"), s.get("tags")]) in found and
                   compare_series("", s, found[json.dumps([s.get("name"), s.get("tags")])],
                                  floor) is None
                   for result in mine.get("results", []) for s in result.get("series", []))

    def __str__(self):
        return "%s at %s\n  busbard: %s\n  influxd: %s" % (self.kind, self.where, self.ours,
                                                           self.theirs)


def drop_columns(document, skipped):
    for result in document.get("results", []):
        for series in result.get("series", []):
            kept = [i for i in range(len(series["columns"])) if i not in skipped]
            series["columns"] = [series["columns"][i] for i in kept]
            series["values"] = [[row[i] for i in kept] for row in series["values"]]


def documents(body):
    """A reply is one JSON document, or one a line when it is chunked."""
    text = body.decode("utf-8", errors="surrogateescape").strip()
    decoder = json.JSONDecoder()
    found, at = [], 0
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        found.append(document)
        while at < len(text) and text[at].isspace():
            at += 1
    return found


def joined(body):
    return together(documents(body))


def together(parts):
    """The documents of a chunked reply as if it had come at once."""
    whole = {}
    for document in parts:
        whole.update({k: v for k, v in document.items() if k != "results"})
        for result in document.get("results", []):
            join_result(whole.setdefault("results", []), result)
    return whole


def join_result(results, result):
    if not results or results[-1].get("statement_id") != result.get("statement_id"):
        results.append({**result, "series": []})
    results[-1].pop("partial", None)
    results[-1].update({k: v for k, v in result.items() if k not in ("series", "partial")})
    into = results[-1]["series"]
    for series in result.get("series", []):
        more = into and into[-1].pop("partial", False)
        if more:
            into[-1]["values"] = into[-1]["values"] + series["values"]
            if series.get("partial"):
                into[-1]["partial"] = True
        else:
            into.append(dict(series))


EXACT = -1.0  # a floor: all numbers without a point are integers, and agree exactly


def close(a, b, floor):
    """Numbers that agree to the last digits; of integers, and of whole numbers that a few digits
    of a sum do not change, all."""
    if a == b:
        return True
    whole = isinstance(a, int) and isinstance(b, int)
    if whole and (floor == EXACT or floor < 0.1 and max(abs(a), abs(b)) < 2 ** 45):
        return False
    return math.isclose(a, b, rel_tol=RELATIVE, abs_tol=max(floor, 0.0))


def values_agree(a, b, floor):
    number = (int, float)
    if isinstance(a, bool) or isinstance(b, bool) or not (
            isinstance(a, number) and isinstance(b, number)):
        return type(a) is type(b) and a == b
    return close(a, b, floor)


def compare_rows(where, columns, ours, theirs, floor):
    for i, (mine, other) in enumerate(zip(ours, theirs)):
        if len(mine) != len(other):
            return Difference("shape", "%s row %d" % (where, i), mine, other)
        for c, (a, b) in enumerate(zip(mine, other)):
            exact = columns[c] == "time"
            if (a != b) if exact else not values_agree(a, b, floor):
                found = Difference("time" if exact else "value", "%s row %d column %s" % (
                    where, i, columns[c]), mine, other)
                found.columns, found.column = columns, c
                return found
    if len(ours) != len(theirs):
        at = min(len(ours), len(theirs))
        found = Difference("rows", where, "%d rows, then %s" % (len(ours), ours[at:at + 2]),
                           "%d rows, then %s" % (len(theirs), theirs[at:at + 2]))
        found.columns = columns
        return found
    return None


def compare_series(where, ours, theirs, floor):
    for key in ("name", "tags", "columns", "partial"):
        if ours.get(key) != theirs.get(key):
            return Difference("series", where + " " + key, ours.get(key), theirs.get(key))
    return compare_rows(where, ours.get("columns", []), ours.get("values", []),
                        theirs.get("values", []), floor)


def compare_result(where, ours, theirs, floor):
    if ours.get("error") != theirs.get("error"):
        # A side without an error shows how much it answered.
        shown = [side.get("error") or "no error, %d series" % len(side.get("series", []))
                 for side in (ours, theirs)]
        return Difference("error", where, *shown)
    mine, other = ours.get("series", []), theirs.get("series", [])
    for i, (a, b) in enumerate(zip(mine, other)):
        found = compare_series("%s series %d" % (where, i), a, b, floor)
        if found:
            return found
    if len(mine) != len(other):
        return Difference("series", where, "%d series" % len(mine), "%d series" % len(other))
    for key in ("statement_id", "partial"):
        if ours.get(key) != theirs.get(key):
            return Difference("result", where + " " + key, ours.get(key), theirs.get(key))
    return None


def compare_documents(mine, other, floor):
    if mine.get("error") != other.get("error"):
        return Difference("message", "reply", mine.get("error"), other.get("error"))
    results = mine.get("results", []), other.get("results", [])
    if len(results[0]) != len(results[1]):
        return Difference("shape", "results", len(results[0]), len(results[1]))
    for i, (x, y) in enumerate(zip(*results)):
        found = compare_result("result %d" % i, x, y, floor)
        if found:
            return found
    return None


def compare(ours, theirs, floor):
    """ours and theirs are (status, body). None if they agree."""
    if ours == theirs:
        return None
    try:
        mine, other = documents(ours[1]), documents(theirs[1])
        if len(mine) > 1 or len(other) > 1:
            found = compare_documents(joined(ours[1]), joined(theirs[1]), floor)
            if found:
                return found
    except ValueError:
        return Difference("body", "reply", ours[1][:300], theirs[1][:300])
    if ours[0] != theirs[0]:
        return Difference("status", "reply", "%d %r" % (ours[0], ours[1][:300]),
                          "%d %r" % (theirs[0], theirs[1][:300]))
    for a, b in zip(mine, other):
        found = compare_documents(a, b, floor)
        if found:
            return found
    if len(mine) != len(other):
        return Difference("chunks", "reply", "%d documents" % len(mine),
                          "%d documents" % len(other))
    if mine == other and len(mine) == 1:
        return compare_text(ours[1], theirs[1])
    return None


def compare_text(ours, theirs):
    """Documents of the same values are the same text."""
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b),
              min(len(ours), len(theirs)))
    return Difference("text", "byte %d" % at, ours[max(0, at - 40):at + 40],
                      theirs[max(0, at - 40):at + 40])


def unsupported(reply):
    """The message with which busbard says that it does not execute this yet, or None."""
    if b" not supported" not in reply[1]:
        return None
    try:
        for result in documents(reply[1])[0].get("results", []):
            error = result.get("error", "")
            if re.search("(is|are) not supported$", error):
                return re.sub("(SHOW [A-Z ]*[A-Z]) .*(?= (is|are) not)", r"\1 ...", error)
    except ValueError:
        pass
    return None
