"""Holds every number of a report against the recomputed ones, and names those nobody accounts for.

Left out by name: the drawings, texts that are quoted from the records (how costs were measured,
the manifest, the commands, errors, samples), and the colours.
"""

from __future__ import annotations

import json
from pathlib import Path

from audit_check import Check
from audit_files import Files
from audit_plots import Plots
from audit_sentences import Sentences
from audit_tables import Tables
from page_reader import Page
from recomputed import Truth


class Audit:
    """What a report says that the records do not."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self.check = Check(truth)
        self.files = Files(self.check, truth)
        self.plots = Plots(self.check, truth)
        self.tables = Tables(self.check, truth)
        self.sentences = Sentences(self.check, truth)

    def whole(self, folder: Path) -> None:
        """The records themselves, and the files and the page in the folder of a report."""
        for run in self.truth.runs:
            self.check.checked["records"] += run.finished
            self.check.wrong += run.contradictions()
        self.files.audit(folder)
        page = Page((folder / "index.html").read_text(encoding="utf-8"))
        self.plots.audit(json.loads(page.data))
        for table in page.tables:
            self.tables.audit(table)
        for text in page.texts:
            self.sentences.audit(text)
