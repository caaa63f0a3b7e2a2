"""Names of queues that stand for others, so that a queue that was renamed or merged keeps working.

Pure functions over `forward = { old = "new" }` of a connection's settings.
"""

from collections.abc import Iterable, Mapping


def resolve(forward: Mapping[str, str]) -> dict[str, str]:
    """Each name with the one where its way ends; raises ValueError for names that go in a circle."""
    ends = {}
    for name in forward:
        way = [name]
        while way[-1] in forward:
            end = forward[way[-1]]
            if end in way:
                raise ValueError(" → ".join([*way, end]))
            way.append(end)
        ends[name] = way[-1]
    return ends


def line(name: str, ends: Mapping[str, str]) -> list[str]:
    """All names of the line that a name belongs to, those that are forwarded first.

    What still lies under an old name is older than what came since.
    """
    end = ends.get(name, name)
    return [*(old for old, its_end in ends.items() if its_end == end), end]


def lines(names: Iterable[str], ends: Mapping[str, str]) -> tuple[str, ...]:
    """The lines of these names, in their order, each name once."""
    return tuple(dict.fromkeys(one for name in names for one in line(name, ends)))
