"""Fronts of a task over seeds: planted domination, ties, noise, and what is not known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from seqexp.analysis.axes import COMPARED
from seqexp.analysis.contenders import Contender
from seqexp.analysis.fronts import ALL, fronts, hypervolumes


def contender(name, losses, costs=(), model=None):
    """`costs` are those of the first axes; the others are not known."""
    losses = np.array(losses, dtype=float)
    table = np.full((len(losses), len(COMPARED)), np.nan)
    for k, cost in enumerate(costs):
        table[:, k] = cost
    return Contender(name, name, model or name, np.arange(len(losses)), losses, table, 0, 0)


def on(found, axis):
    return found.points.loc[found.points["axis"] == axis].set_index("label")


def dominates(found, axis, a, b):
    pairs = found.dominates.set_index(["axis", "a", "b"])["probability"]
    return float(pairs.loc[(axis, a, b)])


PARAMETERS, CARRY, *_ = (axis.key for axis in COMPARED)


def test_planted_domination():
    good = contender("good", [0.1, 0.11, 0.12], (100, 10))
    dear = contender("dear", [0.5, 0.51, 0.52], (200, 5))
    found = fronts([good, dear])
    assert set(found.points["axis"]) == {PARAMETERS, CARRY, ALL}
    assert on(found, PARAMETERS)["probability"].to_dict() == {"good": 1, "dear": 0}
    assert on(found, PARAMETERS)["front"].to_dict() == {"good": True, "dear": False}
    assert on(found, CARRY)["probability"].to_dict() == {"good": 1, "dear": 1}
    assert on(found, ALL)["probability"].to_dict() == {"good": 1, "dear": 1}
    assert dominates(found, PARAMETERS, "good", "dear") == 1
    assert dominates(found, PARAMETERS, "dear", "good") == 0
    assert dominates(found, CARRY, "good", "dear") == 0
    assert dominates(found, ALL, "good", "dear") == 0


def test_an_exact_tie_is_domination_of_the_dearer_only():
    twins = [contender("a", [0.1] * 3, (100,)), contender("b", [0.1] * 3, (100,))]
    found = fronts([*twins, contender("c", [0.1] * 3, (101,))])
    assert on(found, PARAMETERS)["probability"].to_dict() == {"a": 1, "b": 1, "c": 0}
    assert (
        dominates(found, PARAMETERS, "a", "b") == 0 and dominates(found, PARAMETERS, "a", "c") == 1
    )


def test_the_chance_of_a_noisy_dearer_model_is_that_of_its_mean():
    rng = np.random.default_rng(0)
    a, b = (stats.zscore(rng.standard_normal(40), ddof=1) for _ in range(2))
    found = fronts([contender("cheap", a, (1,)), contender("dear", b + 0.1, (2,))])
    better = stats.norm.cdf(-0.1 / np.sqrt(2 / 40))
    assert on(found, PARAMETERS).loc["dear", "probability"] == pytest.approx(better, abs=0.03)
    assert dominates(found, PARAMETERS, "cheap", "dear") == pytest.approx(1 - better, abs=0.03)


def test_one_seed_has_no_probability_nor_what_hangs_on_it():
    found = fronts(
        [
            contender("cheap", [0.5, 0.6], (1,)),
            contender("single", [0.4], (2,)),
            contender("dear", [0.3, 0.3], (3,)),
        ]
    )
    probability = on(found, PARAMETERS)["probability"]
    assert probability["cheap"] == 1 and probability[["single", "dear"]].isna().all()
    assert on(found, PARAMETERS)["front"].all()


def test_a_cost_that_varies_is_resampled():
    """Equal scores, and a time of 1 or 3 for two seeds: their median is 2 in half of the draws."""
    steady, noisy = contender("steady", [0.1, 0.1], (2,)), contender("noisy", [0.1, 0.1], ([1, 3],))
    found = fronts([steady, noisy])
    assert dominates(found, PARAMETERS, "noisy", "steady") == pytest.approx(0.25, abs=0.04)
    assert dominates(found, PARAMETERS, "steady", "noisy") == pytest.approx(0.25, abs=0.04)


def test_nothing_finished():
    found = fronts([contender("a", []), contender("b", [])])
    assert found.points.empty and found.dominates.empty
    assert hypervolumes([contender("a", [])], None).empty


def test_the_seed_fixes_the_resamples():
    rivals = [
        contender(n, x, (i,)) for i, (n, x) in enumerate([("a", [3, 5, 9]), ("b", [2, 8, 4])])
    ]
    first, again, other = fronts(rivals), fronts(rivals), fronts(rivals, seed=1)
    assert first.points.equals(again.points) and first.dominates.equals(again.dominates)
    assert not first.points.equals(other.points)


def test_hypervolume_of_models_with_their_sizes():
    """Costs 10 and 100, up to 200; losses down from the baseline of 1."""
    rivals = [
        contender("small", [0.5, 0.5], (10,), model="gru"),
        contender("large", [0.1, 0.1], (100,), model="gru"),
        contender("rnn", [0.4, 0.4], (100,)),
    ]
    found = hypervolumes(rivals, 1.0).set_index("model")
    for end in ("share_low", "share_high"):
        assert list(found[end]) == list(found["share"])
    assert found["most"].to_dict() == {"gru": 1, "rnn": 0}  # the seeds do not differ
    gru = 0.5 * 1 + 0.9 * np.log10(2)
    assert found["hypervolume"].to_dict() == pytest.approx({"gru": gru, "rnn": 0.6 * np.log10(2)})
    assert found["share"].to_dict() == pytest.approx({"gru": 1, "rnn": 0.6 * np.log10(2) / gru})
    assert set(found["axis"]) == {PARAMETERS}


def test_hypervolume_without_a_baseline_is_above_the_worst():
    found = hypervolumes([contender("a", [1.0], (1,)), contender("b", [3.0], (1,))], None)
    assert found["share"].tolist() == [1, 0] and np.isnan(found["most"]).all()  # of one seed
    assert hypervolumes([contender("a", [1.0], (0,))], None).empty  # no decades of a cost of 0


def test_who_covers_most_is_as_sure_as_the_means_are():
    """At one cost the better mean covers more: by chance, as two normal samples have it."""
    rng = np.random.default_rng(0)
    a, b = (stats.zscore(rng.standard_normal(40), ddof=1) for _ in range(2))
    found = hypervolumes([contender("a", a, (1,)), contender("b", b + 0.1, (1,))], 10.0)
    found = found.set_index("model")
    better = stats.norm.cdf(0.1 / np.sqrt(2 / 40))
    assert found.loc["a", "most"] == pytest.approx(better, abs=0.03)
    assert sum(found["most"]) == pytest.approx(1)
    # b covers (10 - 0.1 - e_b) / (10 - min(0.1 + e_b, e_a)), e of standard error 1 / sqrt(40)
    assert found.loc["b", "share"] == pytest.approx(0.99)
    e = rng.standard_normal((2, 100_000)) / np.sqrt(40)
    ratio = (9.9 - e[1]) / (10 - np.minimum(0.1 + e[1], e[0]))
    ends = found.loc["b", ["share_low", "share_high"]].astype(float)
    assert list(ends) == pytest.approx(list(np.quantile(ratio, [0.025, 0.975])), abs=0.005)


def test_hypervolume_of_all_costs_at_once():
    """Boxes over two costs, of which each model is the cheaper in one: they overlap in a corner."""
    a = contender("a", [0.5, 0.5], (10, 100))
    b = contender("b", [0.2, 0.2], (100, 10))
    found = hypervolumes([a, b], 1.0).set_index(["axis", "model"])
    near, far = np.log10(2), np.log10(20)
    volumes = {"a": near * far * 0.5, "b": near * far * 0.8}
    assert found.loc[ALL]["hypervolume"].to_dict() == pytest.approx(volumes)
    both = volumes["b"] + (far - near) * near * 0.5
    expected = {name: volume / both for name, volume in volumes.items()}
    assert found.loc[ALL]["share"].to_dict() == pytest.approx(expected)
    many = [contender(f"{i}", [0.5, 0.5], (10 + i, 99 - i)) for i in range(13)]
    assert set(hypervolumes(many, 1.0)["axis"]) == {PARAMETERS, CARRY}


def test_where_nothing_is_better_than_the_baseline_no_share_is_told():
    found = hypervolumes([contender("a", [1.0, 1.1], (1,)), contender("b", [2.0, 2.1], (2,))], 0.5)
    assert found["hypervolume"].tolist() == [0, 0]
    unknown = found[["share", "share_low", "share_high", "most"]]
    assert np.isnan(unknown.to_numpy(float)).all()
