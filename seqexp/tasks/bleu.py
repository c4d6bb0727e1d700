"""BLEU, as the library sacrebleu and its command line compute it."""

from __future__ import annotations

from collections.abc import Sequence

from seqexp.data.extras import needs
from seqexp.types import SeqexpError


def corpus_bleu(said: Sequence[str], references: Sequence[str]) -> float:
    """BLEU of a corpus, from 0 to 100.

        BLEU = 100 min(1, exp(1 - r / c)) (p_1 p_2 p_3 p_4)^(1/4)

    with p_n the share of the n-grams said that are in their reference, each at most as often as
    there, c the words said and r those of the references. Texts are tokenised by 13a and keep
    their case; an n of which nothing matches is smoothed ("exp"). These are the defaults of
    `sacrebleu REFERENCES -i SAID`.

    Papineni et al. 2002, https://aclanthology.org/P02-1040; Post 2018,
    https://aclanthology.org/W18-6319.

    Args:
        said: translations, as running text.
        references: one for each of them.

    Raises:
        SeqexpError: there are none, or not as many of the one as of the other; the library is not
            installed.

    >>> corpus_bleu(["A man sleeps on a bench."], ["A man sleeps on a bench."])
    100.0
    """
    if len(said) != len(references) or not said:
        raise SeqexpError(
            f"BLEU compares each translation with a reference: there are {len(said)} translations "
            f"and {len(references)} references"
        )
    with needs("text"):
        from sacrebleu.metrics.bleu import BLEU
    # `force` only silences a warning about text that seems tokenised.
    score = BLEU(tokenize="13a", force=True).corpus_score(list(said), [list(references)]).score
    return min(100.0, score)  # rounding may lead above
