"""Random data sets: a schema, and points in the order in which they are written."""

import re

NS = 1000000000
BASE = 1709640000 * NS  # 2024-03-05T12:00:00Z, three weeks before Europe's summer time
UNITS = {"n": 1, "u": 1000, "ms": 1000000, "s": NS, "m": 60 * NS}

MEASUREMENTS = ["reading", "cpu", "m 3", "größe", "a,b", 'q"x', "disk"]
TAGS = ["device_id", "host", "region", "näme", "t 2", "k=v", "value2"]
TAG_VALUES = ["a", "b", "c", "MTR-1", "MTR-10", "x y", "ü", "a,b", "k=v", "12", 'q"u', "it's", "A"]
FIELDS = {
    "value": "float", "f2": "float", "temp C": "float",
    "n": "int", "i2": "int",
    "ok": "bool",
    "s": "string", "nöte": "string",
}
STRINGS = ["", "a", "b", "on", "off", "x y", 'say "hi"', "back\\slash", "ümlaut", "a,b=c", "1"]
STEPS = [1, 10, 60, 900, 1800, 3600, 86400]


def escape(text, marks):
    for mark in marks:
        text = text.replace(mark, "\\" + mark)
    return text


class Measurement:
    def __init__(self, name, tags, fields):
        self.name = name
        self.tags = tags  # key -> list of values, None for a missing tag
        self.fields = fields  # name -> type


class Dataset:
    """What one seed makes. batches: (policy, precision, [line]); lines carry their times."""

    def __init__(self, rng, points=None):
        self.rng = rng
        self.ties = rng.random() < 0.4  # points of several series at one time
        self.policies = [""] if rng.random() < 0.6 else ["", "rp2"]
        self.step = rng.choice(STEPS) * NS
        self.start = self.choose_start()
        self.count = points or rng.choice([15, 60, 150, 400, 900])
        self.magnitude = 0.0
        self.seen = {}  # name -> some values of a number, as text
        self.extremes = rng.random() < 0.2  # numbers that leave sums little precision
        self.measurements = self.choose_measurements()
        self.batches = self.choose_batches()

    def choose_start(self):
        rng = self.rng
        kind = rng.random()
        if kind < 0.12:
            return -rng.choice([self.step * 20, 400 * self.step])
        if kind < 0.3:
            return 1711760400 * NS  # 2024-03-30T01:00:00Z: a day and a bit before the change
        return BASE + rng.choice([0, 0, 7 * NS, 1, 86399 * NS])

    def choose_measurements(self):
        rng = self.rng
        names = rng.sample(MEASUREMENTS, rng.choice([1, 2, 2, 3]))
        if rng.random() < 0.7 and "reading" not in names:
            names[0] = "reading"
        chosen = []
        for name in names:
            tags = {}
            for key in rng.sample(TAGS, rng.choice([0, 1, 2, 2, 3])):
                values = rng.sample(TAG_VALUES, rng.choice([1, 2, 3, 4]))
                if rng.random() < 0.3:
                    values.append(None)
                tags[key] = values
            fields = dict(rng.sample(sorted(FIELDS.items()), rng.choice([1, 2, 3, 4])))
            if rng.random() < 0.75:
                fields["value"] = "float"
            if rng.random() < 0.15:
                fields["value"] = "int"
            chosen.append(Measurement(name, tags, fields))
        return chosen

    def value(self, kind):
        rng = self.rng
        if kind == "float":
            number = rng.choice([
                round(rng.uniform(-5, 20), rng.choice([0, 1, 3])), round(rng.uniform(0, 2), 3),
                float(rng.randint(-3, 3)), rng.uniform(-1, 1)])
            if self.extremes and rng.random() < 0.03:
                number = rng.choice([1e15, -1e-9, 123456789.125, 1e20])
            self.magnitude = max(self.magnitude, abs(number))
            return repr(number)
        if kind == "int":
            number = rng.choice([rng.randint(-3, 3), rng.randint(0, 1000)])
            if self.extremes and rng.random() < 0.03:
                number = rng.choice([2 ** 53 + 1, -2 ** 40, 2 ** 62])
            self.magnitude = max(self.magnitude, abs(number))
            return "%di" % number
        if kind == "bool":
            return rng.choice(["true", "false", "t", "F"])
        text = rng.choice(STRINGS)
        return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')

    def line(self, m, time_ns):
        rng = self.rng
        key = escape(m.name, ", ")
        for tag, values in sorted(m.tags.items()) if rng.random() < 0.7 else m.tags.items():
            value = rng.choice(values)
            if value is not None:
                key += ",%s=%s" % (escape(tag, ",= "), escape(value, ",= "))
        names = [name for name in m.fields if rng.random() < 0.7] or [rng.choice(list(m.fields))]
        values = {name: self.value(m.fields[name]) for name in names}
        for name, text in values.items():
            seen = self.seen.setdefault(name, [])
            if m.fields[name] in ("float", "int") and len(seen) < 12:
                seen.append(text.rstrip("i"))
        fields = ",".join("%s=%s" % (escape(name, ",= "), text) for name, text in values.items())
        return "%s %s %d" % (key, fields, time_ns)

    def times(self):
        """Regular with gaps, now and then jittered or far away."""
        rng = self.rng
        slots = max(2, self.count // rng.choice([1, 3, 8]))
        far = rng.random() < 0.2
        alone = iter(rng.sample(range(self.count * 2), self.count))
        for _ in range(self.count):
            t = self.start + self.step * (rng.randrange(slots) if self.ties else next(alone))
            if rng.random() < 0.05:
                t += rng.randrange(self.step)
            if far and rng.random() < 0.05:
                t += rng.choice([-1, 1, 2]) * 7 * 86400 * NS
            yield t

    def choose_batches(self):
        rng = self.rng
        times = list(self.times())
        if rng.random() < 0.6:
            times.sort()
        self.first, self.last = min(times), max(times)
        batches = []
        at = 0
        while at < len(times):
            size = rng.choice([1, 7, 50, 200])
            policy = rng.choice(self.policies)
            lines = [self.line(rng.choice(self.measurements), t) for t in times[at:at + size]]
            if rng.random() < 0.1 and lines:
                lines.append(rng.choice(lines))
            batches.append((policy, lines))
            at += size
        return batches

    def points(self):
        return [(policy, line) for policy, lines in self.batches for line in lines]

    def keys(self):
        """Those of all series, as SHOW SERIES has them."""
        parts = [re.split(r"(?<!\\),", re.match(r"((?:[^\\ ]|\\.)+) ", line).group(1))
                 for _, line in self.points()]
        return {",".join([name] + sorted(tags)) for name, *tags in parts}

    def has_ties(self):
        """Whether several series of a measurement have a point at one time."""
        seen = {}
        for policy, line in self.points():
            key, time = re.match(r"((?:[^\\ ]|\\.)*) .* (-?\d+)$", line, re.S).groups()
            name = re.match(r"(?:[^\\,]|\\.)*", key).group()
            series = ",".join(sorted(re.findall(r"(?:[^\\,]|\\.)+", key)[1:]))
            if seen.setdefault((policy, name, time), series) != series:
                return True
        return False

    def several_shards(self):
        """Whether InfluxDB has several of some policy: those of rp2 are a day long, others a week.
        A week begins on Monday."""
        shards = {(policy, (int(line.rsplit(" ", 1)[1]) // NS + 259200) // (
            86400 if policy else 604800)) for policy, line in self.points()}
        return len(shards) > len({policy for policy, _ in shards})

    def types(self):
        found = {}
        for m in self.measurements:
            for name, kind in m.fields.items():
                found.setdefault(name, set()).add(kind)
        return found


def batches_of(points):
    """Points back into batches: neighbours of one policy go together."""
    batches = []
    for policy, line in points:
        if not batches or batches[-1][0] != policy or len(batches[-1][1]) >= 200:
            batches.append((policy, []))
        batches[-1][1].append(line)
    return batches
