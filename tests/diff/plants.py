"""Small faults to plant in answers, so that a run proves what it would see.

A fault takes the document of a reply and changes it in place; it returns False where there is
nothing that it could change.
"""

FAULTS = {}


def fault(function):
    FAULTS[function.__name__] = function
    return function


def all_series(document):
    return [s for result in document.get("results", []) for s in result.get("series", [])
            if s.get("values")]


def cells(document, wanted):
    """(row, column) of values that are wanted, times left out."""
    return [(row, c) for s in all_series(document) for row in s["values"]
            for c in range(1, len(row)) if wanted(row[c])]


def change(found, new):
    if not found:
        return False
    row, c = found[len(found) // 2]
    row[c] = new(row[c])
    return True


@fault
def digit_of_a_float(document):
    return change(cells(document, lambda v: isinstance(v, float) and abs(v) > 1e-3),
                  lambda v: v * (1 + 1e-7))


@fault
def integer_by_one(document):
    return change(cells(document, lambda v: type(v) is int), lambda v: v + 1)


@fault
def null_for_a_number(document):
    return change(cells(document, lambda v: type(v) in (int, float)), lambda v: None)


@fault
def zero_for_null(document):
    return change(cells(document, lambda v: v is None), lambda v: 0)


@fault
def other_string(document):
    return change(cells(document, lambda v: isinstance(v, str)), lambda v: v + "x")


@fault
def other_boolean(document):
    return change(cells(document, lambda v: isinstance(v, bool)), lambda v: not v)


@fault
def time_by_one(document):
    for s in all_series(document):
        if s["columns"][0] == "time" and isinstance(s["values"][-1][0], int):
            s["values"][-1][0] += 1
            return True
    return False


@fault
def row_lost(document):
    for s in all_series(document)[-1:]:
        s["values"].pop()
        return True
    return False


@fault
def row_twice(document):
    for s in all_series(document)[:1]:
        s["values"].append(s["values"][-1])
        return True
    return False


@fault
def rows_in_other_order(document):
    for s in all_series(document):
        if s["values"][0] != s["values"][-1]:
            s["values"].reverse()
            return True
    return False


@fault
def column_by_other_name(document):
    for s in all_series(document)[:1]:
        s["columns"][-1] += "_1"
        return True
    return False


@fault
def other_tag(document):
    for s in all_series(document):
        for key in s.get("tags", {}):
            s["tags"][key] += "x"
            return True
    return False


@fault
def series_lost(document):
    for result in document.get("results", []):
        if result.get("series"):
            result["series"].pop(0)
            return True
    return False


@fault
def series_in_other_order(document):
    for result in document.get("results", []):
        if len(result.get("series", [])) > 1:
            result["series"].reverse()
            return True
    return False


@fault
def other_message(document):
    for part in [document] + document.get("results", []):
        if "error" in part:
            part["error"] = part["error"][:-1]
            return True
    return False


@fault
def no_error(document):
    for result in document.get("results", []):
        if result.pop("error", None) is not None:
            return True
    return False
