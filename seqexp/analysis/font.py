"""The letters of all figures: those of DejaVu Sans, which comes with matplotlib."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from fontTools import subset
from matplotlib import font_manager

WHOLE, NAME = "DejaVu Sans", "seqexp Sans"
SCRIPTS = (range(0x20, 0x180), range(0x370, 0x400), range(0x2000, 0x2300))
"""Latin, Greek and signs."""


@functools.cache
def families() -> list[str]:
    """The families to write with, the next where one lacks a letter.

    The first is cut from the second and loads in no time. The whole font takes 0.2 s to embed in a
    PDF, longer than a figure takes to draw: it has tables for the joining of Arabic.
    """
    options = subset.Options()
    options.drop_tables += ["FFTM", "GDEF", "GPOS", "GSUB"]
    cut = subset.Subsetter(options)
    cut.populate(unicodes=[code for script in SCRIPTS for code in script])
    folder = tempfile.mkdtemp(prefix="seqexp-font-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "sans.ttf"
    with subset.load_font(font_manager.findfont(WHOLE), options) as font:
        cut.subset(font)
        names = font["name"]
        for said in names.names:
            if said.nameID in (1, 4, 6):  # family, full and PostScript name
                text = NAME.replace(" ", "") if said.nameID == 6 else NAME
                names.setName(text, said.nameID, said.platformID, said.platEncID, said.langID)
        font.save(path)
    font_manager.fontManager.addfont(path)
    return [NAME, WHOLE]
