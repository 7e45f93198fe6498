"""Requests beyond one plain statement: several at once, bind parameters, continuous queries,
statements of every kind that do not parse, and deletions by all sorts of conditions."""

from generate import duration, literal, maybe_quote, quote
from statements import LEFT_OUT, STRAY, TOKEN, Statements
from tree import statement_text, text_of

BETWEEN = [";", "; ", ";;", " ; ;\n", "; -- c; d\n", "; /* 'c' ; */ ", "\n/* \" */;\n",
           ";-- '\n/**/"]
OUTER = ["", "", "", " ", ";", "-- c\n", "/* c; */ ", "\n;;"]
END = ["", "", "", ";", " -- end", "; -- end\n", " /* ' */", "/**/;"]

# What is always wrong behind a statement keeps it from being run, however it was changed.
GUARD = "\n; !"

OTHERS = [
    "CREATE DATABASE nodb", 'CREATE DATABASE "no db" WITH DURATION 3d REPLICATION 1 NAME p',
    "CREATE DATABASE nodb WITH SHARD DURATION 1h NAME \"p\"",
    "CREATE RETENTION POLICY p ON nodb DURATION 2h REPLICATION 1",
    'CREATE RETENTION POLICY "p" ON nodb DURATION INF REPLICATION 1 SHARD DURATION 1h DEFAULT',
    "ALTER RETENTION POLICY p ON nodb DURATION 5h REPLICATION 2 SHARD DURATION 30m DEFAULT",
    "ALTER RETENTION POLICY p ON nodb DEFAULT",
    "CREATE USER x WITH PASSWORD 'secret'",
    "CREATE USER \"x\" WITH PASSWORD 'secret' WITH ALL PRIVILEGES",
    "SET PASSWORD FOR x = 'secret'", "DROP USER x",
    "GRANT READ ON nodb TO x", "GRANT ALL ON nodb TO x", "GRANT ALL PRIVILEGES TO x",
    "REVOKE WRITE ON nodb FROM x", "REVOKE ALL PRIVILEGES FROM x", "SHOW GRANTS FOR x",
    "DROP DATABASE nodb", "DROP RETENTION POLICY p ON nodb", "DROP MEASUREMENT m", "DROP SHARD 7",
    "DROP SERIES FROM m WHERE t = 'x'", "DROP SERIES WHERE t = 'x'",
    "DELETE FROM m WHERE time > now() - 1h", "DELETE WHERE t =~ /x/",
    "DROP CONTINUOUS QUERY q ON nodb", "DROP SUBSCRIPTION s ON nodb.p",
    "CREATE SUBSCRIPTION s ON nodb.p DESTINATIONS ALL 'udp://h:1', 'http://h:2'",
    "CREATE SUBSCRIPTION \"s\" ON \"nodb\".\"p\" DESTINATIONS ANY 'udp://h:1'",
    "KILL QUERY 36", "KILL QUERY 36 ON h", "SHOW QUERIES", "SHOW SHARDS", "SHOW SHARD GROUPS",
    "SHOW STATS", "SHOW STATS FOR 'httpd'", "SHOW DIAGNOSTICS FOR 'build'", "SHOW DATABASES",
    "SHOW USERS", "SHOW SUBSCRIPTIONS", "SHOW CONTINUOUS QUERIES",
    "SHOW RETENTION POLICIES ON nodb", "SHOW TAG VALUES ON nodb FROM m WITH KEY IN (a, b)",
    "SHOW SERIES CARDINALITY ON nodb", "SHOW SERIES EXACT CARDINALITY FROM m WHERE t = 'x'",
    "SHOW MEASUREMENTS ON nodb WITH MEASUREMENT =~ /x/ LIMIT 2 OFFSET 3",
    "SHOW FIELD KEY CARDINALITY FROM m GROUP BY t", "SHOW TAG KEYS ON nodb FROM m, n SLIMIT 2",
    "SHOW TAG VALUES EXACT CARDINALITY WITH KEY = t LIMIT 1",
]


class Wider(Statements):
    # several at once

    def failing(self):
        return {"kind": "words", "words": [self.rng.choice([
            "SELECT value FROM nope.reading", "SHOW TAG KEYS ON nowhere", "SELECT 1 FROM reading",
            "SELECT mean(value), value FROM reading", "SHOW RETENTION POLICIES ON nowhere",
            "SELECT value FROM nowhere..reading"])]}

    def several(self):
        rng = self.rng
        parts = []
        for _ in range(rng.choice([2, 2, 3, 4])):
            roll = rng.random()
            parts.append(self.failing() if roll < 0.08 else self.broken() if roll < 0.1
                         else self.show() if roll < 0.35 else self.select())
        glue = [rng.choice(OUTER)] + [rng.choice(BETWEEN) for _ in parts[1:]] + [rng.choice(END)]
        return {"kind": "several", "parts": parts, "glue": glue}

    def bound(self):
        inner = self.select() if self.chance(0.8) else self.show()
        return {"kind": "bound", "of": inner, "seed": self.rng.randrange(10 ** 6)}

    def form(self):
        roll = self.rng.random()
        return self.select() if roll < 0.6 else self.show() if roll < 0.75 else self.several()

    # continuous queries, in a database of their own, whose name stands for DB

    def resample(self):
        rng = self.rng
        parts = ["EVERY " + duration(rng.choice([1, 60, 90, 3600, 7 * 86400]) * 10 ** 9)
                 if self.chance(0.7) else "",
                 "FOR " + duration(rng.choice([30, 60, 600, 7200, 90000]) * 10 ** 9)
                 if self.chance(0.6) else ""]
        return "RESAMPLE " + " ".join(filter(None, parts)) if any(parts) else ""

    def task(self):
        """Steps: some are made, shown, dropped, shown."""
        rng = self.rng
        names = ["c", '"c q"', "größe", '"%s"' % "x.y"]
        names = [name if name.isascii() else quote(name) for name in names]
        steps = []
        for _ in range(rng.choice([1, 2, 2, 3])):
            q = self.select()
            while LEFT_OUT.search(statement_text(q)) and self.chance(0.5):
                q = self.select()
            if self.chance(0.95):
                q["into"] = rng.choice(['"out"', '"o u t"', "rp2.out", ":MEASUREMENT",
                                        "DB.autogen.:MEASUREMENT", "DB..o", "nodb.p.o"])
            steps.append("CREATE CONTINUOUS QUERY %s ON %s %s BEGIN %s END" % (
                rng.choice(names), rng.choice(["DB"] * 12 + ["nowhere"]),
                self.resample() if self.chance(0.35) else "", statement_text(q)))
            if self.chance(0.3):
                steps.append(steps[-1])  # once more: no error if it is the same
        steps += ["SHOW CONTINUOUS QUERIES",
                  "DROP CONTINUOUS QUERY %s ON %s" % (rng.choice(names), rng.choice(
                      ["DB"] * 8 + ["nowhere"])), "SHOW CONTINUOUS QUERIES"]
        return {"kind": "steps", "steps": [{"kind": "words", "words": [t]} for t in steps]}

    # statements that do not parse

    def malformed(self):
        """One change to any statement, and behind it what never parses, so that it never runs."""
        rng = self.rng
        if self.chance(0.6):
            text = rng.choice(OTHERS)
        else:
            q = self.task()["steps"][0] if self.chance(0.3) else self.select()
            text = rng.choice(["", "EXPLAIN ", "EXPLAIN ANALYZE "]) + statement_text(q)
        tokens = TOKEN.findall(text)
        at, other = rng.randrange(len(tokens)), rng.randrange(len(tokens))
        roll = rng.random()
        if roll < 0.3:
            del tokens[at]
        elif roll < 0.5:
            tokens[at:at] = [tokens[at], " "]
        elif roll < 0.7:
            tokens[at], tokens[other] = tokens[other], tokens[at]
        elif roll < 0.8:
            del tokens[at:]
        else:
            tokens[at] = rng.choice(STRAY)
        return {"kind": "words", "words": ["".join(tokens) + GUARD]}

    # deletions

    def erased(self):
        """What goes: all sources, conditions of any depth."""
        rng = self.rng
        names = [maybe_quote(rng, m.name) for m in self.data.measurements]
        source = rng.choice(["", rng.choice(names), ", ".join(sorted(set(rng.choices(names, k=2)))),
                             "/%s/" % rng.choice(["e", "^r", "^cpu$", "nothing"])])
        verb = rng.choice(["DELETE", "DELETE", "DROP SERIES"])
        conditions = []
        if verb == "DELETE" and self.chance(0.5):
            conditions.append(text_of(self.time_range()[0]) if self.chance(0.7)
                              else "time %s %s" % (rng.choice(["<", ">=", "="]),
                                                   self.moment_text(self.moment())))
        if self.chance(0.7) or (source == "" and not conditions):
            tree = self.tag_condition()
            for _ in range(rng.choice([0, 1, 1, 2])):
                tree = ("paren", ("bin", rng.choice(["AND", "OR"]), tree, self.tag_condition()))
            conditions.append(text_of(tree))
        if self.chance(0.05):
            conditions.append(text_of(self.field_condition()))
        rng.shuffle(conditions)
        return (verb + (" FROM " + source if source else "") +
                (" WHERE " + " AND ".join(conditions) if conditions else ""))

    def erase(self):
        rng = self.rng
        tag = quote(self.tag())
        looks = ["SELECT * FROM /./", "SELECT count(*) FROM /./ GROUP BY *", "SHOW SERIES",
                 "SHOW MEASUREMENTS", "SHOW TAG VALUES WITH KEY = " + tag, "SHOW TAG KEYS",
                 "SELECT last(*) FROM /./ GROUP BY " + tag,
                 "SELECT value FROM /./ WHERE %s = %s" % (tag, literal("a"))]
        texts = [self.erased()] + [looks[0]] + rng.sample(looks[1:], 3)
        return {"kind": "steps", "steps": [{"kind": "words", "words": [t]} for t in texts]}
