"""The same answer in other forms that a client can ask for: CSV, MessagePack, by GET, in chunks.

They are compared where the plain JSON of a query agrees, so that what differs is the form.
"""

import csv
import io
import struct

from compare import Difference, compare, together, values_agree

FORMS = ["csv", "msgpack", "chunked csv", "chunked msgpack", "get", "epoch csv", "epoch msgpack"]
ACCEPT = {"csv": ["text/csv", "application/csv", "text/html, text/csv"],
          "msgpack": ["application/x-msgpack"]}


def request_of(rng, form, version):
    """(method, headers, parameters)"""
    words = form.split()
    accept = ACCEPT.get(words[-1])
    if accept and version.startswith("1.6"):
        accept = accept[:1]  # it knows one word for each
    parameters = {}
    if "chunked" in words:
        parameters = {"chunked": "true", "chunk_size": rng.choice(["1", "2", "7", "100", "x"])}
    if "epoch" in words:
        parameters["epoch"] = rng.choice(["ns", "u", "ms", "s", "m", "h", "x"])
    return ("GET" if form == "get" else "POST",
            {"Accept": rng.choice(accept)} if accept else {}, parameters)


class Reader:
    """Values of MessagePack, with a time as ("time", seconds, nanoseconds)."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise ValueError("cut off")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(form)))[0]

    def text(self, length):
        return self.take(length).decode("utf-8", errors="surrogateescape")

    def array(self, count):
        return [self.value() for _ in range(count)]

    def map(self, count):
        return {self.value(): self.value() for _ in range(count)}

    def extension(self, length):
        kind = self.number("b")
        data = self.take(length)
        return ("time",) + struct.unpack(">qi", data) if (kind, length) == (5, 12) else (kind, data)

    def value(self):
        tag = self.number("B")
        if tag < 0x80:
            return tag
        if tag < 0xc0:
            made = self.map if tag < 0x90 else self.array if tag < 0xa0 else self.text
            return made(tag & (0x1f if tag >= 0xa0 else 0x0f))
        if tag >= 0xe0:
            return tag - 0x100
        plain = {0xc0: None, 0xc2: False, 0xc3: True}
        if tag in plain:
            return plain[tag]
        if tag in NUMBERS:
            return self.number(NUMBERS[tag])
        if tag in LENGTHS:
            made, form = LENGTHS[tag]
            return getattr(self, made)(self.number(form))
        raise ValueError("tag %#x" % tag)


NUMBERS = {0xca: "f", 0xcb: "d", 0xcc: "B", 0xcd: "H", 0xce: "I", 0xcf: "Q",
           0xd0: "b", 0xd1: "h", 0xd2: "i", 0xd3: "q"}
LENGTHS = {0xc7: ("extension", "B"), 0xd9: ("text", "B"), 0xda: ("text", "H"), 0xdb: ("text", "I"),
           0xdc: ("array", "H"), 0xdd: ("array", "I"), 0xde: ("map", "H"), 0xdf: ("map", "I")}


def unpacked(body):
    reader = Reader(body)
    found = []
    while reader.at < len(body):
        found.append(reader.value())
    return found


def unlike(a, b, floor, where=""):
    """Where two values of MessagePack or cells of CSV differ, or None."""
    if type(a) is not type(b):
        return where, a, b
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return where, sorted(a), sorted(b)
        return next(filter(None, (unlike(a[k], b[k], floor, "%s %s" % (where, k))
                                  for k in a)), None)
    if isinstance(a, list):
        if len(a) != len(b):
            return where, "%d: %r" % (len(a), a[-1:]), "%d: %r" % (len(b), b[-1:])
        return next(filter(None, (unlike(x, y, floor, "%s %d" % (where, i))
                                  for i, (x, y) in enumerate(zip(a, b)))), None)
    return None if values_agree(a, b, floor) else (where, a, b)


def number_or_text(cell):
    """What may be a float; integers below 2**49 agree as they are written."""
    try:
        return float(cell) if "." in cell or len(cell) > 15 and "_" not in cell else cell
    except ValueError:
        return cell


def table(body):
    text = body.decode("utf-8", errors="surrogateescape")
    return [[number_or_text(cell) for cell in row]
            for row in csv.reader(io.StringIO(text, newline=""))]


def whole_numbers(mine, other):
    """Where one side is a number with a point and the other is none, both are numbers."""
    for a, b in zip(mine, other):
        for i, (x, y) in enumerate(zip(a, b)):
            if type(x) is not type(y):
                try:
                    a[i], b[i] = float(x), float(y)
                except ValueError:
                    pass


def drop_errors(rows):
    """The tables of errors out of several."""
    while ["error"] in rows:
        at = rows.index(["error"])
        end = rows.index([], at) + 1 if [] in rows[at:] else len(rows)
        del rows[at:end]
    while rows and rows[-1] == []:
        rows.pop()


def compare_form(form, ours, theirs, floor, shows):
    """ours and theirs are (status, body, type of content). A Difference or None. shows: there is a
    SHOW in the text, which InfluxDB sends in one chunk."""
    if (ours[0], ours[2]) != (theirs[0], theirs[2]):
        return Difference("form", form, (ours[0], ours[2], ours[1][:200]),
                          (theirs[0], theirs[2], theirs[1][:200]))
    if ours[1] == theirs[1]:
        return None
    if form == "get":
        return compare(ours[:2], theirs[:2], floor)
    try:
        if form.endswith("csv"):
            mine, other = table(ours[1]), table(theirs[1])
            if ["error"] not in other:
                drop_errors(mine)  # InfluxDB says nothing of what fails
            whole_numbers(mine, other)
        else:
            mine, other = unpacked(ours[1]), unpacked(theirs[1])
            if shows:
                mine, other = together(mine), together(other)
    except (ValueError, csv.Error, struct.error) as fault:
        return Difference("form", "%s: %s" % (form, fault), ours[1][:300], theirs[1][:300])
    found = unlike(mine, other, floor)
    return Difference("form", form + found[0], found[1], found[2]) if found else None
