"""Pictures of features: which way up, and how dark."""

from __future__ import annotations

import numpy as np

from seqexp.tasks.spectrogram_picture import GAP, spectrogram_picture
from seqexp.types import Sequences


def test_time_goes_right_features_go_up_and_padding_is_white():
    values = np.full((2, 4, 3), 9.0)
    values[0, 1] = [-9, 0, 2.5 / 2]
    picture = spectrogram_picture(Sequences(values, np.array([4, 2])))  # type: ignore[arg-type]
    assert picture.shape == (2 * (3 + GAP), 4)
    np.testing.assert_allclose(picture[:3, 1], [0.75, 0.5, 0])
    np.testing.assert_array_equal(picture[:3, 0], 1)
    np.testing.assert_array_equal(picture[3:5], 0)
    np.testing.assert_array_equal(picture[5:8], [[1, 1, 0, 0]] * 3)
