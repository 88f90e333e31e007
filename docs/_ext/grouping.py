"""Parameters in groups: lines ``title: name, name``, read and held against a signature."""

import re
from collections import Counter
from inspect import Parameter, signature


def read(lines):
    """Groups by their titles; a line without a title goes on with the last one."""
    groups, title = {}, None
    for line in filter(None, map(str.strip, lines)):
        before, colon, names = line.rpartition(":")
        title = before if colon else title
        groups.setdefault(title, []).extend(re.findall(r"\w+", names))
    return groups


def faults(groups, cls):
    """What is wrong with a grouping: missing, unknown and repeated names; empty if nothing is."""
    wanted = [p.name for p in signature(cls).parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
    given = Counter(name for names in groups.values() for name in names)
    found = [f"{name} is in no group" for name in wanted if name not in given]
    found += [f"{name} is no parameter" for name in given if name not in wanted]
    return found + [f"{name} is in {n} groups" for name, n in given.items() if n > 1]
