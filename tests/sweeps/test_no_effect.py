"""Options that a task or another option makes meaningless make no other run."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from flax import nnx

from seqexp.cells import GRU, LSTM
from seqexp.models import SequenceModel
from seqexp.sweeps.groups import plan
from seqexp.sweeps.no_effect import plain, told, without_effect
from seqexp.training.random_batch import random_batch
from seqexp.types import Features, SeqexpError, TaskSpec, Tokens
from tests.test_configs import point

CHOSEN: dict[str, Any] = {
    "features": 4,
    "depth": 1,
    "bidirectional": True,
    "merge": "sum",
    "dropout": 0.0,
    "residual": True,
    "norm": "none",
    "pooling": "mean",
    "embed_features": 3,
}


def spec(inputs: Any = Tokens, answer: Any = "sequence", size: int = 5) -> TaskSpec:
    return TaskSpec(inputs(size), answer, 2, max_length=6, causal=False)


def idle(task: TaskSpec, **changes) -> dict:
    chosen = {"cell": GRU, **CHOSEN, **changes}
    return dict(without_effect(partial(SequenceModel, **chosen), task))


def test_pooling_where_every_step_is_answered():
    assert idle(spec(answer="step"), depth=2, embed_features=4) == {
        "pooling": "last",
        "embed_features": None,
    }


def test_merging_without_two_directions():
    assert idle(spec(), bidirectional=False, depth=2) == {"merge": "concat"}


def test_an_embedding_that_is_not_there_or_as_wide_as_without_the_option():
    assert idle(spec(Features), depth=2) == {"embed_features": None}
    assert idle(spec(), depth=2, embed_features=4) == {"embed_features": None}
    assert idle(spec(), depth=2) == {}


@pytest.mark.parametrize(
    ("task", "changes", "has_effect"),
    [
        (spec(Features, size=4), {}, True),
        (spec(Features, size=5), {}, False),
        (spec(Features, size=5), {"depth": 2}, True),
        (spec(Features, size=8), {"merge": "concat"}, True),
        (spec(Features, size=4), {"merge": "concat"}, False),
        (spec(), {}, False),
        (spec(), {"embed_features": None}, True),
        (spec(Features, size=2), {"cell": partial(LSTM, projection=2)}, True),
        (spec(Features, size=4), {"cell": partial(LSTM, projection=2)}, False),
    ],
)
def test_a_residual_connection_where_no_widths_agree(task, changes, has_effect):
    assert ("residual" in idle(task, **changes)) is not has_effect


def test_what_is_said_to_have_no_effect_has_none():
    """The model with the options as asked is the model with their neutral values."""
    for task in (spec(Features, "step"), spec(Tokens, "step")):
        chosen = {**CHOSEN, "bidirectional": False}
        neutral = {**chosen, **idle(task, **chosen)}
        assert neutral != chosen
        inputs = random_batch(task, 2, lengths=[6, 4]).inputs
        outputs = [
            SequenceModel(task, cell=GRU, **options, rngs=nnx.Rngs(0))(inputs).outputs
            for options in (chosen, neutral)
        ]
        assert (outputs[0] == outputs[1]).all()


def test_a_model_of_ones_own_may_say_so_or_not():
    def silent(spec, **_):
        return None

    class Says:
        def __init__(self, **_): ...

        @staticmethod
        def without_effect(spec, *, heads, **_):
            return {"rank": 0} if heads == 1 else {}

    class Wrong:
        def __init__(self, **_): ...

        @staticmethod
        def without_effect(spec):
            return {}

    assert without_effect(silent, spec()) == {}
    assert without_effect(partial(Says, heads=1, rank=8), spec()) == {"rank": 0}
    assert without_effect(partial(Says, heads=2, rank=8), spec()) == {}
    with pytest.raises(SeqexpError, match="Wrong.without_effect"):
        without_effect(partial(Wrong, heads=1), spec())


def test_a_config_keeps_the_keys_that_it_has():
    config = {
        "model": {"features": 4, "pooling": "mean"},
        "trainer": {"steps": 9, "eval_every": 20},
    }
    assert plain(config, {"pooling": "last", "merge": "concat"}) == {
        "model": {"features": 4, "pooling": "last"},
        "trainer": {"steps": 9, "eval_every": 9},
    }


def test_one_line_for_all():
    idle = ["model.pooling=mean"]
    asked = [("jsb", "gru", idle), ("copy", "gru", idle), ("adding", "gru", [])]
    assert told(asked) == "model.pooling=mean has no effect on jsb, copy: trained once"
    assert told([("jsb", "gru", [])]) == ""


def test_models_are_named_where_others_heed_the_option():
    idle = ["model.pooling=mean"]
    asked = [("jsb", "rnn", idle), ("jsb", "gru", idle), ("copy", "rnn", idle), ("copy", "gru", [])]
    assert told(asked) == "model.pooling=mean has no effect on jsb, copy (rnn): trained once"
    asked[1] = ("jsb", "gru", [])
    assert told(asked) == "model.pooling=mean has no effect on jsb (rnn), copy (rnn): trained once"
    asked.append(("copy", "rnn", []))  # of two directions, say
    assert "copy (some rnn)" in told(asked)


def test_points_that_differ_in_nothing_that_matters_are_one():
    """copy_memory answers every step and reads one direction: nothing is pooled or merged."""

    def asked(*overrides: str):
        return point("task=copy_memory", "model=rnn", "model.features=3", *overrides)

    plain_one = asked()
    (group,), ids = plan([asked("model.pooling=mean", "model.merge=sum"), plain_one])
    assert len(group.members) == 1 and len(set(ids)) == 1
    assert set(group.without_effect) == {"model.merge=sum", "model.pooling=mean"}
    assert group.members[0].info.config["model"] == plain_one.config["model"]
    with pytest.raises(SeqexpError, match="model.pooling"):
        plan([asked("model.pooling=middle")])


def test_a_task_that_is_not_stateful_is_the_task_without_the_option():
    text = ("task=text", "task.answer=next", "task.max_length=4", "model.features=3")
    settings = ("task.stateful=null", "task.stateful=false", "task.stateful=true")
    groups, ids = plan([point(*text, setting) for setting in settings])
    assert ids[0] == ids[1] != ids[2] and len(groups) == 2
    own = {"model": {}, "trainer": {"steps": 1, "eval_every": 1}}
    for task in ({"_target_": "theirs.Task", "stateful": False}, "damaged"):
        assert plain({**own, "task": task}, {})["task"] == task
