"""Most frequent tags against counts by hand."""

import numpy as np
import pytest

from seqexp.data.buckets import splits_in_buckets
from seqexp.tasks.tag_frequencies import most_frequent_tag, most_frequent_tag_of_token
from seqexp.types import Batch, Sequences, TaskSpec, Tokens


@pytest.mark.parametrize("buckets", [1, 2])
def test_two_sentences(buckets):
    spec = TaskSpec(Tokens(9), "step", 3, 4, causal=False)
    # Token 1 is tagged 0, 0, 2; token 2 is tagged 1; tag 0 comes most often.
    train = Batch(
        Sequences(np.array([[1, 1, 0, 0], [1, 2, 3, 0]]), np.array([2, 3])),  # type: ignore
        np.array([[0, 0, 1, 1], [2, 1, 0, 1]]),
    )
    test = Batch(
        Sequences(np.array([[1, 2, 8, 7]]), np.array([3])),  # type: ignore[arg-type]
        np.array([[0, 2, 0, 0]]),
    )
    splits = splits_in_buckets(spec, {"train": train, "valid": test, "test": test}, buckets)
    assert most_frequent_tag(splits) == pytest.approx(2 / 3)
    # Token 1 is right, token 2 is not, and token 8, which never came, is.
    assert most_frequent_tag_of_token(splits) == pytest.approx(2 / 3)
