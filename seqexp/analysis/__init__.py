"""From records on disk to a report: load, statistics, Pareto fronts, figures, one page."""

from seqexp.analysis.load import load as load
from seqexp.analysis.report import report as report
