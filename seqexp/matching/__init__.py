"""Matching: the width at which a model meets a budget of one of its costs."""

from seqexp.matching.budgets import AXES, Axis, Budget
from seqexp.matching.search import Match, match_measured, match_width

__all__ = ["AXES", "Axis", "Budget", "Match", "match_measured", "match_width"]
