"""Make a case small: fewer points, then a simpler query, as long as it still differs."""

from tree import smaller


def shrink_query(query, differs, budget):
    """The simplest query found that still differs; greedy, at most budget trials."""
    progress = True
    while progress and budget > 0:
        progress = False
        for candidate in smaller(query):
            budget -= 1
            if budget < 0:
                break
            if differs(candidate):
                query = candidate
                progress = True
                break
    return query


def shrink_list(items, differs, budget):
    """Delta debugging: leave out ever smaller pieces."""
    size = max(1, len(items) // 2)
    while budget > 0:
        at, removed = 0, False
        while at < len(items) and budget > 0:
            less = items[:at] + items[at + size:]
            budget -= 1
            if differs(less):
                items, removed = less, True
            else:
                at += size
        if size == 1 and not removed:
            break
        size = max(1, size // 2) if not removed or size > 1 else 1
    return items
