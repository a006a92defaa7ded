"""What a window tells beyond its plain counts, drawn at random."""

from __future__ import annotations

from hypothesis import strategies as st

from edge_agent.records import EDGES, Estimate, Estimates, FacingCounts, Histograms, VisitCounts

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)


@st.composite
def visit_counts(draw, most, numbers, seconds):
    """Staff, of at most so many visits."""
    pass_bys = draw(st.integers(0, most))
    maybe = st.none() | numbers
    return VisitCounts(
        pass_bys,
        draw(st.integers(0, pass_bys)),
        draw(st.integers(0, pass_bys)),
        draw(seconds),
        *(draw(maybe) for _ in range(5)),
    )


def histograms(numbers):
    """Of any zone: with or without a shelf and facings."""

    def buckets(name):
        return st.lists(numbers, min_size=len(EDGES[name]), max_size=len(EDGES[name])).map(tuple)

    rest = {name: st.none() | buckets(name) for name in EDGES if name != "dwell_s"}
    return st.builds(Histograms, dwell_s=buckets("dwell_s"), **rest)


@st.composite
def estimate(draw, numbers):
    """Low, best and high in order."""
    return Estimate(*sorted(draw(st.tuples(numbers, numbers, numbers))))


def estimates(numbers):
    """Of any zone."""
    maybe = st.none() | estimate(numbers)
    return st.builds(Estimates, maybe, maybe, maybe)


def facings(numbers, seconds, names=NAMES):
    """None, or each name once."""
    one = st.builds(
        FacingCounts,
        name=names,
        brand=st.none() | names,
        reaches=numbers,
        picks=numbers,
        put_backs=numbers,
        known_s=seconds,
        empty_s=seconds,
        low_s=seconds,
        since_full_s=st.none() | seconds,
    )
    some = st.lists(one, min_size=1, max_size=3, unique_by=lambda facing: facing.name)
    return st.none() | some.map(tuple)
