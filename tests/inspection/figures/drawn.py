"""The numbers that a drawn figure shows."""

from __future__ import annotations

import numpy as np


def x_of(line):
    return np.asarray(line.get_xdata(), float).tolist()


def shown(image):
    """What a heat map shows, NaN where it is blank."""
    return np.ma.filled(np.ma.asarray(image.get_array(), float), np.nan)


def y_of(line):
    return np.asarray(line.get_ydata(), float).tolist()
