"""Statements other than SELECT, broken statements, and lines of line protocol, at random."""

import re

from dataset import TAG_VALUES
from generate import Generator, maybe_quote, quote
from tree import statement_text, text_of

TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|/[^/ ]+/|\w+|\s+|.', re.S)
STRAY = ["SELECT", "FROM", "WHERE", "GROUP", "BY", ",", "(", ")", "::", "=~", "AND", "1h", "1.5",
         "*", "''", "fill(", "LIMIT", "-", "time", ";", '"', "'", "/", "$x", ":", "@", "5x", "!"]


# What InfluxDB answers otherwise cannot be recognised in what it has written.
LEFT_OUT = re.compile(r"\b(integral|percentile|top|bottom|sample|mode|first|last)\(|SLIMIT|SOFFSET|"
                      r"\(SELECT")


class Statements(Generator):
    def show(self):
        rng = self.rng
        roll = rng.random()
        clauses = []
        if roll < 0.15:
            return {"kind": "words", "words": rng.choice([
                ["SHOW RETENTION POLICIES"], ["SHOW RETENTION POLICIES", "ON nowhere"],
                ["SHOW SUBSCRIPTIONS"], ["SHOW USERS"],
                ["SHOW FIELD KEYS"], ["SHOW MEASUREMENTS"], ["SHOW SERIES"], ["SHOW TAG KEYS"]])}
        head = rng.choice(["SHOW SERIES", "SHOW MEASUREMENTS", "SHOW TAG KEYS", "SHOW FIELD KEYS",
                           "SHOW TAG VALUES"])
        exact = self.chance(0.1)
        if exact:
            head = re.sub(" (KEYS|VALUES)$", r" KEY", head) if "FIELD" in head else head
            head = {"SHOW SERIES": "SHOW SERIES EXACT CARDINALITY",
                    "SHOW MEASUREMENTS": "SHOW MEASUREMENT EXACT CARDINALITY",
                    "SHOW TAG KEYS": "SHOW TAG KEY CARDINALITY",
                    "SHOW FIELD KEY": "SHOW FIELD KEY CARDINALITY",
                    "SHOW TAG VALUES": "SHOW TAG VALUES EXACT CARDINALITY"}[head]
        if "MEASUREMENT" in head and not exact:
            if self.chance(0.3):
                name = rng.choice(self.data.measurements).name
                clauses.append(rng.choice(["WITH MEASUREMENT = " + quote(name),
                                           "WITH MEASUREMENT =~ /" + rng.choice("reda.") + "/"]))
        elif self.chance(0.5):
            clauses.append("FROM " + ", ".join(self.sources()))
        if "TAG VALUES" in head:
            tag = maybe_quote(rng, self.tag())
            clauses.append(rng.choice(["WITH KEY = " + tag, "WITH KEY != " + tag,
                                       "WITH KEY IN (%s, %s)" % (tag, quote(self.tag())),
                                       "WITH KEY =~ /./", "WITH KEY !~ /e/"]))
        if "FIELD" not in head and self.chance(0.4):
            clauses.append("WHERE " + text_of(self.tag_condition() if self.chance(0.8)
                                              else self.condition()))
        for word in ("LIMIT", "OFFSET"):
            if self.chance(0.2) and not exact:
                clauses.append("%s %d" % (word, rng.choice([1, 2, 3, 0])))
        return {"kind": "words", "words": [head] + clauses}

    def broken(self):
        """A statement with a few tokens changed. Nothing that could change data is started from."""
        rng = self.rng
        text = statement_text(self.select() if self.chance(0.75) else self.show())
        tokens = TOKEN.findall(text)
        for _ in range(rng.choice([1, 1, 2])):
            at = rng.randrange(1, len(tokens)) if len(tokens) > 1 else 0
            roll = rng.random()
            if roll < 0.35:
                del tokens[at]
            elif roll < 0.6:
                tokens.insert(at, rng.choice(STRAY))
            elif roll < 0.75:
                tokens[at] = rng.choice(STRAY)
            elif roll < 0.85:
                tokens = tokens[:at]
            else:
                other = rng.randrange(len(tokens))
                tokens[at], tokens[other] = tokens[other], tokens[at]
        text = "".join(tokens)
        if re.search(r"\b(into|drop|delete|kill|create|alter)\b", text, re.I) or not text.strip():
            text = "SELECT FROM"
        return {"kind": "words", "words": [text]}

    def change(self):
        """Statements that change data, each followed by what shows the change."""
        rng = self.rng
        name = quote(rng.choice(self.data.measurements).name)
        look = [{"kind": "words", "words": [t]} for t in
                ("SELECT * FROM /./", "SELECT count(*) FROM /./ GROUP BY *", "SHOW MEASUREMENTS")]
        roll = rng.random()
        if roll < 0.5:
            text = "DELETE" + (" FROM " + name if self.chance(0.8) else "")
            parts = []
            if self.chance(0.7):
                parts.append(text_of(self.time_range()[0]))
            if self.chance(0.5) or ("FROM" not in text and not parts):
                parts.append(text_of(self.tag_condition()))
            text += " WHERE " + " AND ".join(parts) if parts else ""
        elif roll < 0.7:
            text = "DROP SERIES FROM %s WHERE %s" % (name, text_of(self.tag_condition()))
            look.append({"kind": "words", "words": ["SHOW SERIES"]})
        elif roll < 0.8:
            text = "DROP MEASUREMENT " + name
            look.append({"kind": "words", "words": ["SHOW FIELD KEYS"]})
        else:
            q = self.select()
            while LEFT_OUT.search(statement_text(q)):
                q = self.select()
            q["into"] = rng.choice(['"out"', '"o u t"', '"rp2"."out"', ":MEASUREMENT"])
            return {"kind": "steps", "steps": [q] + look}
        return {"kind": "steps", "steps": [{"kind": "words", "words": [text]}] + look}


def number_text(rng):
    return rng.choice(["1", "-1.5", ".5", "5.", "1e5", "1E-5", "15i", "-15i", "t", "true", "FALSE",
                       "tru", "1.2.3", "1i2", "9223372036854775808i", "1e400", "nan", "inf", "--1",
                       '"text"', '"a\\"b"', '"open', "", "0x1", "1f", "+1", "1e", "-", "i", '""'])


def line(rng):
    """One line, good more often than not."""
    names = ["m", "cpu", "m\\ x", "m\\,y", "größe", "a\\=b", '"q"', "m\\", ""]
    parts = [rng.choice(names[:6]) if rng.random() < 0.9 else rng.choice(names)]
    for _ in range(rng.choice([0, 1, 1, 2])):
        key = rng.choice(["host", "t\\ 2", "k\\=v", "näme", "a"])
        value = rng.choice(TAG_VALUES).replace(",", "\\,").replace(" ", "\\ ").replace("=", "\\=")
        parts.append("%s=%s" % (key, value))
    fields = []
    for name in rng.sample(["value", "n", "s", "ok", "f\\ 2"], rng.choice([1, 1, 2])):
        good = {"value": ["1", "-1.5", "1e5"], "n": ["15i", "-3i"], "s": ['"x y"', '"a\\"b"'],
                "ok": ["t", "false"], "f\\ 2": ["2.5"]}[name]
        fields.append("%s=%s" % (name, rng.choice(good) if rng.random() < 0.85
                                 else number_text(rng)))
    text = "%s %s" % (",".join(parts), ",".join(fields))
    if rng.random() < 0.9:
        text += " " + rng.choice(["%d" % rng.randrange(10 ** 18, 10 ** 18 + 10 ** 12)] * 9 + [
            "0", "-5", "1.5", "abc", "99999999999999999999", "9223372036854775807", "1 2", ""])
    if rng.random() < 0.15:
        at = rng.randrange(len(text))
        text = rng.choice([text[:at], text[:at] + rng.choice([",", "=", " ", "\\", '"', "\t"])
                           + text[at:], text[:at] + text[at + 1:], "# " + text, " " + text])
    return text


def write_case(rng):
    """(parameters, lines): a request to /write whose lines have their own times."""
    lines = []
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        lines.append(line(rng))
    return {"precision": rng.choice(["n", "n", "ns", "u", "ms", "s", "", "x"])
            if rng.random() < 0.2 else "n"}, lines
