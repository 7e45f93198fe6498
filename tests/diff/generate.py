"""Random SELECTs over a data set, as trees (tree.py). Most are valid; some are not."""

import datetime

from dataset import FIELDS, NS, TAG_VALUES, TAGS

AGGREGATES = ["count", "sum", "mean", "min", "max", "spread", "first", "last"]
ROW_AGGREGATES = ["stddev", "median", "mode", "distinct", "integral", "percentile"]
SELECTORS = ["min", "max", "first", "last"]
TRANSFORMS = ["derivative", "non_negative_derivative", "difference", "non_negative_difference",
              "moving_average", "cumulative_sum", "elapsed"]
AVERAGES = ["chande_momentum_oscillator", "exponential_moving_average",
            "double_exponential_moving_average", "triple_exponential_moving_average",
            "triple_exponential_derivative", "relative_strength_index",
            "kaufmans_efficiency_ratio", "kaufmans_adaptive_moving_average"]
MATH = ["abs", "ceil", "floor", "round", "sqrt", "exp", "ln", "log2", "log10", "sin", "cos", "tan",
        "asin", "acos", "atan"]
ZONES = ["Europe/London", "America/New_York", "UTC", "Asia/Kolkata", "Australia/Lord_Howe"]


def quote(name):
    return '"%s"' % name.replace("\\", "\\\\").replace('"', '\\"')


def literal(text):
    return "'%s'" % text.replace("\\", "\\\\").replace("'", "\\'")


def maybe_quote(rng, name):
    plain = name.isidentifier() and name.isascii() and rng.random() < 0.6
    return name if plain else quote(name)


def duration(ns):
    for unit, size in (("w", 604800 * NS), ("d", 86400 * NS), ("h", 3600 * NS), ("m", 60 * NS),
                       ("s", NS), ("ms", 1000000), ("u", 1000)):
        if ns % size == 0 and ns != 0:
            return "%d%s" % (ns // size, unit)
    return "%dns" % ns


def rfc3339(ns):
    seconds, rest = divmod(ns, NS)
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (".%09d" % rest if rest else "") + "Z"


KINDS = ["raw"] * 5 + ["aggregate"] * 9 + ["selector", "selector", "multi", "transform",
                                           "transform_aggregate", "mixed"]


class Generator:
    def __init__(self, rng, data):
        self.rng = rng
        self.data = data
        self.types = data.types()
        self.raw = False  # rows, whose times are their own

    def chance(self, p):
        return self.rng.random() < p

    # names

    def pick(self, *wanted):
        """A field of one of the types wanted, or any, or now and then one that is not there."""
        rng = self.rng
        if self.chance(0.02):
            return rng.choice(["nothing", "host"] + sorted(FIELDS))
        names = [n for n, kinds in sorted(self.types.items())
                 if not wanted or kinds & set(wanted) or self.chance(0.02)]
        return rng.choice(names or sorted(self.types))

    def field(self, *wanted):
        name = self.pick(*wanted)
        text = maybe_quote(self.rng, name)
        if self.chance(0.03):
            text += "::" + self.rng.choice(["float", "integer", "string", "boolean", "field"])
        return ("text", text)

    def number(self):
        return self.field(*[] if self.chance(0.04) else ["float", "int"])

    def constant(self, name):
        """A number, half of the time one that the field has."""
        seen = self.data.seen.get(name)
        return self.rng.choice(seen if seen and self.chance(0.5) else
                               ["0", "1", "0.5", "-2", "10", "1.5", "100"])

    def tag(self):
        rng = self.rng
        known = sorted({tag for m in self.data.measurements for tag in m.tags})
        return rng.choice(known) if known and self.chance(0.95) else rng.choice(TAGS)

    # expressions

    def wild(self):
        return ("text", self.rng.choice(["*", "*", "*::field", "/v/", "/^[in]/", "/./"]))

    def aggregate(self, names=None):
        rng = self.rng
        name = rng.choice(names or AGGREGATES * 2 + ROW_AGGREGATES)
        anything = name in ("count", "first", "last", "mode", "distinct")
        arg = self.field() if anything else self.number()
        if name != "integral" and self.chance(0.08):
            arg = self.wild()
        args = [arg]
        if name == "percentile":
            args.append(("text", rng.choice(["50", "90", "99.9", "0", "100", "1", "33.3"])))
        elif name == "integral" and self.chance(0.6):
            args.append(("text", rng.choice(["1s", "1m", "1h", "10s"])))
        elif name == "count" and self.chance(0.1):
            args = [("call", "distinct", [self.field()])]
        return ("call", name, args)

    def transform(self, over_aggregate):
        rng = self.rng
        name = rng.choice(TRANSFORMS + (AVERAGES if self.chance(0.2) else []))
        args = [self.aggregate() if over_aggregate else self.number()]
        if name in ("derivative", "non_negative_derivative", "elapsed"):
            if self.chance(0.6):
                args.append(("text", rng.choice(["1s", "1m", "1h", "10s"])))
        elif name == "moving_average":
            args.append(("text", rng.choice(["2", "3", "10", "1"])))
        elif name in AVERAGES:
            args.append(("text", rng.choice(["2", "3", "5"])))
        return ("call", name, args)

    def forecast(self):
        rng = self.rng
        name = rng.choice(["holt_winters", "holt_winters_with_fit"])
        return ("call", name, [self.aggregate(["mean", "max", "first", "sum"]),
                               ("text", rng.choice(["1", "3", "10"])),
                               ("text", rng.choice(["0", "0", "2", "4"]))])

    def multi(self):
        """top, bottom and a sample of everything."""
        rng = self.rng
        name = rng.choice(["top", "bottom", "top", "bottom", "sample"])
        args = [self.number()]
        if name != "sample" and self.chance(0.4):
            args.append(("text", quote(self.tag())))
        count = "5000" if name == "sample" else rng.choice(["1", "2", "3", "10"])
        return ("call", name, args + [("text", count)])

    def arithmetic(self, leaf, depth=0):
        rng = self.rng
        if depth > 2 or self.chance(0.45 if depth else 0.1):
            return leaf()
        roll = rng.random()
        if roll < 0.2:
            return ("call", rng.choice(MATH), [self.arithmetic(leaf, depth + 1)])
        if roll < 0.25:
            return ("call", rng.choice(["pow", "atan2", "log"]),
                    [self.arithmetic(leaf, depth + 1), ("text", rng.choice(["2", "0.5", "3"]))])
        if roll < 0.35:
            return ("paren", self.arithmetic(leaf, depth + 1))
        literals = ["1", "2", "10", "0.5", "-1", "3.25", "0", "7"]
        right = (self.arithmetic(leaf, depth + 1) if self.chance(0.4)
                 else ("text", rng.choice(literals if self.chance(0.97) else ["true", "'a'"])))
        op = rng.choice(["+", "-", "*", "/", "+", "-", "*", "/", "%", "&", "|", "^"])
        pair = (self.arithmetic(leaf, depth + 1), right)
        return ("bin", op) + (pair if self.chance(0.8) else pair[::-1])

    # conditions

    def moment(self):
        rng = self.rng
        first, last, step = self.data.first, self.data.last, self.data.step
        spots = [first, last, last + 1, first + (last - first) // 2,
                 first + rng.randrange(last - first + 1) // step * step]
        return rng.choice(spots) + rng.choice([0, 0, 0, 0, 1, -1, step])

    def moment_text(self, ns):
        roll = self.rng.random()
        if roll < 0.4 and ns > -60 * 10 ** 18:
            return literal(rfc3339(ns))
        if roll < 0.55 and ns % NS == 0:
            return "%ds" % (ns // NS)
        if roll < 0.65:
            return "%s %s %s" % (ns - self.data.step, "+", duration(self.data.step))
        return str(ns)

    def time_range(self):
        """(tree, from, to)"""
        a, b = sorted([self.moment(), self.moment()])
        if self.chance(0.5):
            a, b = self.data.first, self.data.last + 1
        low = ("text", "time %s %s" % (self.rng.choice([">=", ">=", ">"]), self.moment_text(a)))
        high = ("text", "time %s %s" % (self.rng.choice(["<", "<", "<="]), self.moment_text(b)))
        return ("bin", "AND", low, high), a, b

    def tag_condition(self):
        rng = self.rng
        tag = maybe_quote(rng, self.tag())
        roll = rng.random()
        if roll < 0.6:
            value = rng.choice(TAG_VALUES + [""])
            return ("text", "%s %s %s" % (tag, rng.choice(["=", "=", "!=", "<>"]), literal(value)))
        pattern = rng.choice(["a", "^a$", "^MTR", "^(a|b|x y)$", ".", "^$", "1$", "(?i)A", "[a-c]"])
        return ("text", "%s %s /%s/" % (tag, rng.choice(["=~", "!~"]), pattern))

    def field_condition(self):
        rng = self.rng
        name = self.pick()
        kinds = self.types.get(name, {"float"})
        text = maybe_quote(rng, name)
        compare = rng.choice(["=", "!=", "<", "<=", ">", ">="])
        if "string" in kinds:
            if self.chance(0.3):
                return ("text", "%s %s /%s/" % (text, rng.choice(["=~", "!~"]),
                                                rng.choice(["a", "o[nf]", "^$", "ü"])))
            return ("text", "%s %s %s" % (text, rng.choice(["=", "!="]),
                                          literal(rng.choice(["a", "on", "", "x y"]))))
        if "bool" in kinds:
            return ("text", "%s %s %s" % (text, rng.choice(["=", "!="]),
                                          rng.choice(["true", "false"])))
        if self.chance(0.15):
            return ("text", "%s %s %s" % (text, compare, self.number()[1]))
        if self.chance(0.15):
            shift = rng.choice(["* 1", "+ 0", "- 0", "+ 2", "* 2", "/ 2"])
            return ("text", "%s %s %s %s" % (text, shift, compare, self.constant(name)))
        return ("text", "%s %s %s" % (text, compare, self.constant(name)))

    def condition(self, depth=0):
        roll = self.rng.random()
        if depth < 2 and roll < 0.3:
            both = (self.condition(depth + 1), self.condition(depth + 1))
            tree = ("bin", self.rng.choice(["AND", "OR"])) + both
            return ("paren", tree) if self.chance(0.6) or depth else tree
        return self.tag_condition() if roll < 0.7 else self.field_condition()

    def where(self, ranged):
        tree = None
        if ranged or self.chance(0.4):
            tree, self.low, self.high = self.time_range()
        elif self.chance(0.05) and self.raw:
            # Both far from the data: the answer does not depend on when it is asked for.
            tree = ("text", self.rng.choice(["time > now() - 4000d", "time < now() - 1m",
                                             "time <= now() AND time >= now() - 500w"]))
        if self.chance(0.45):
            other = self.condition()
            if other[0] == "bin" and other[1] == "OR":
                other = ("paren", other)
            both = [tree, other] if self.chance(0.5) else [other, tree]
            tree = other if tree is None else ("bin", "AND", both[0], both[1])
        return tree

    # sources and dimensions

    def source(self):
        rng = self.rng
        roll = rng.random()
        names = [m.name for m in self.data.measurements]
        if roll < 0.08:
            return rng.choice(["/./", "/^r/", "/e/", "/^(reading|cpu)$/", "/nothing/"])
        name = maybe_quote(rng, rng.choice(names) if self.chance(0.97) else "nothing")
        if len(self.data.policies) > 1 and self.chance(0.4):
            policies = ["rp2.", '"rp2".', "autogen.", "nope."]
            return rng.choice(policies[:3 + self.chance(0.05)]) + name
        return name

    def sources(self):
        found = [self.source()]
        if self.chance(0.12):
            other = self.source()
            names = [s.split(".")[-1].strip('"') for s in found + [other]]
            if names[0] != names[1] and "/" not in names[0] + names[1] or self.chance(0.05):
                found.append(other)
        return found

    def dimensions(self):
        rng = self.rng
        roll = rng.random()
        if roll < 0.55:
            return []
        if roll < 0.68:
            return ["*"]
        if roll < 0.75:
            return [rng.choice(["/e/", "/^[dh]/", "/./"])]
        found = [quote(self.tag())]
        if self.chance(0.3):
            found.append(quote(self.tag()))
        return sorted(set(found))

    def interval(self):
        """GROUP BY time(...) that makes no more than some hundred buckets of the range."""
        rng = self.rng
        span = max(1, self.high - self.low)
        sizes = [s * NS for s in (1, 7, 10, 60, 90, 300, 900, 3600, 5400, 14400, 86400, 604800)]
        fitting = [s for s in sizes if span // s < 200] or [span]
        size = rng.choice(fitting[:4])
        if not self.chance(0.15):
            return "time(%s)" % duration(size)
        offset = rng.choice([1 * NS, 5 * NS, 60 * NS, -7 * NS, size // 2])
        sign = "-" if offset < 0 else ""
        return "time(%s, %s%s)" % (duration(size), sign, duration(abs(offset)))

    # statements

    def fields_of(self, kind):
        rng = self.rng
        if kind == "raw":
            if self.chance(0.2):
                return [("text", rng.choice(["*", "*", "*::field", "*, value", "/^v/", "/./"]))]
            if self.chance(0.3):
                return [self.arithmetic(self.number) for _ in range(rng.choice([1, 1, 2]))]
            fields = [self.field() for _ in range(rng.choice([1, 1, 2, 3]))]
            if self.chance(0.25):
                fields.append(("text", quote(self.tag()) + rng.choice(["", "", "::tag"])))
            return fields
        if kind == "selector":
            return [self.aggregate(SELECTORS), self.field(), ("text", quote(self.tag()))][
                :rng.choice([2, 3])]
        if kind == "multi":
            extra = [self.field()] if self.chance(0.3) else []
            return [self.multi()] + extra
        if kind == "transform":
            return [self.transform(False) for _ in range(rng.choice([1, 1, 2]))]
        if kind == "transform_aggregate" and self.chance(0.05):
            return [self.forecast()]
        if kind == "transform_aggregate":
            return [self.transform(True) for _ in range(rng.choice([1, 1, 2]))]
        if self.chance(0.2):
            return [self.arithmetic(self.aggregate) for _ in range(rng.choice([1, 1, 2]))]
        return [self.aggregate() for _ in range(rng.choice([1, 1, 1, 2, 3]))]

    def select(self, depth=0):
        rng = self.rng
        kind = rng.choice(KINDS)
        fields = (self.fields_of("raw") + self.fields_of("aggregate") if kind == "mixed"
                  else self.fields_of(kind))
        windows = kind == "transform_aggregate" or (
            kind in ("aggregate", "selector", "multi") and self.chance(0.6)) or self.chance(0.01)
        q = {"kind": "select", "fields": [], "from": self.sources(), "low": 0, "high": 0}
        for e in fields:
            alias = rng.choice(["x", '"y z"', "value"]) if self.chance(0.08) else None
            q["fields"].append((e, alias))
        self.low, self.high = self.data.first, self.data.last
        self.raw = kind == "raw" and depth == 0
        q["where"] = self.where(windows)
        q["group"] = self.dimensions()
        if windows:
            q["group"].insert(rng.choice([0, len(q["group"])]), self.interval())
            if self.chance(0.5):
                q["fill"] = rng.choice(["null", "none", "previous", "linear", "0", "-1.5", "100"])
        elif self.chance(0.02):
            q["fill"] = "none"
        if self.chance(0.15):
            q["order"] = rng.choice(["time DESC", "time DESC", "time ASC", "time"])
        for name, p in (("limit", 0.2), ("offset", 0.1), ("slimit", 0.06), ("soffset", 0.05)):
            if self.chance(p):
                q[name] = rng.choice([1, 2, 3, 5, 20] + [0] * self.chance(0.1))
        for name, limit in (("offset", "limit"), ("soffset", "slimit")):
            if q.get(name) is not None and q.get(limit) is None:
                q[limit] = 3  # without one InfluxDB's answer is "inconsistent", as its page says
        if self.chance(0.03):
            q["tz"] = rng.choice(ZONES)
        if depth < 3 and self.chance(0.08 if depth == 0 else 0.15):
            q["from"] = [self.subquery(depth + 1)]
            if self.chance(0.05):
                q["from"].append(self.source())
        return q

    def subquery(self, depth):
        inner = self.select(depth)
        inner["tz"] = None
        names = [a.strip('"') for _, a in inner["fields"] if a]
        if not names and self.chance(0.7):
            # The outer field is the inner column.
            e, _ = inner["fields"][0]
            inner["fields"][0] = (e, "value")
        return inner
