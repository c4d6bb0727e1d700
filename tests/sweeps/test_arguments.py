"""Arguments are checked against whatever signature they are given to, a user's own as well."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Optional

import jax
import pytest
from jax.typing import ArrayLike

from seqexp.sweeps.arguments import Signature, explicit_nulls, fit_targets, signature_of
from seqexp.sweeps.nearest import nearest
from seqexp.sweeps.values import described, fit, says_none
from seqexp.types import SeqexpError

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore

NO = object()


class Pair(NamedTuple):
    one: Callable


@pytest.mark.parametrize(
    ("hint", "value", "becomes"),
    [
        (bool, True, True),
        (bool, "no", NO),
        (bool, 1, NO),
        (bool, None, NO),
        (int, 3, 3),
        (int, 1e3, 1000),
        (int, 1.5, NO),
        (int, True, NO),
        (int, "3", NO),
        (float, 3, 3),
        (float, 0.5, 0.5),
        (float, True, NO),
        (float, None, NO),
        (float, "1e-3", NO),
        (str, "a", "a"),
        (str, 2024, "2024"),
        (str, 1.5, NO),
        (str, None, NO),
        (str, True, NO),
        (int | None, None, None),
        (Optional[int], 1e3, 1000),  # noqa: UP045
        (int | float, 2.0, 2.0),
        (int | str, 5, 5),
        (int | Literal["auto"], "auto", "auto"),
        (int | Literal["auto"], "off", NO),
        (Literal["last", "mean"], "mean", "mean"),
        (Literal["last", "mean"], "max", NO),
        (Literal[0, 1], True, NO),
        (Sequence[str], [2024, "v1"], ["2024", "v1"]),
        (Sequence[str], "one", NO),
        (Sequence[str], [None], NO),
        (list[int], [1e3, 2], [1000, 2]),
        (tuple[int, ...], [1, 2, 3], [1, 2, 3]),
        (tuple[int, int], [1, 2, 3], NO),
        (Mapping[str, float], {"c": 0.5}, {"c": 0.5}),
        (float | Mapping[str, float], {"c": "no"}, NO),
        (dict, {"a": 1}, {"a": 1}),
        (dict, "a", NO),
        (Callable[..., Any], "gru", NO),
        (Callable[..., Any], {"_target_": "x"}, {"_target_": "x"}),
        (Callable[..., Any] | None, None, None),
        (Pair, "adam", NO),
        (ArrayLike, 0.9, 0.9),
        (ArrayLike, "no", NO),
        (ArrayLike, True, NO),
        (jax.Array | None, [0.1, 0.2], [0.1, 0.2]),
        (Path, "anything", "anything"),
        (Any, "anything", "anything"),
    ],
)
def test_a_value_fits_a_type_or_does_not(hint, value, becomes):
    fits, made = fit(value, hint)
    assert fits == (becomes is not NO)
    if fits:
        assert made == becomes and type(made) is type(becomes)
    assert described(hint)


def test_a_word_for_null_is_told_from_a_name():
    assert says_none("None", str | None) and says_none("null", int | None)
    assert not says_none("none", Literal["none", "layer"] | None)
    assert not says_none("None", str) and not says_none("nobody", str | None)


def plain(width: int, *, bias: bool = True, odd: Unknown = None, rate: float | None = 0.5): ...


class Layer:
    def __init__(self, width: int, spread: Callable[..., Any] | None = None, **others: Any): ...

    @classmethod
    def wide(cls, factor: int) -> Layer: ...


@pytest.fixture
def mine(monkeypatch):
    module = ModuleType("mine")
    module.__dict__.update(plain=plain, Layer=Layer, number=3)
    monkeypatch.setitem(sys.modules, "mine", module)


def checked(**node: Any) -> Any:
    return fit_targets({"inner": [node]}, "task", [])["inner"][0]


def test_targets_of_a_users_own_are_checked_at_any_depth(mine):
    inner = {"_target_": "mine.plain", "width": 1e3}
    outer = checked(_target_="mine.Layer", width=2.0, spread=inner, anything="else")
    assert outer["width"] == 2 and outer["spread"]["width"] == 1000
    assert type(outer["spread"]["width"]) is int
    assert checked(_target_="mine.Layer.wide", factor=1e1)["factor"] == 10
    assert checked(_target_="mine.plain", _partial_=True) == {
        "_target_": "mine.plain",
        "_partial_": True,
    }
    assert checked(_target_="mine.plain", width=1, odd="whatever")["odd"] == "whatever"
    assert checked(_target_="mine.plain", _args_=[3])["_args_"] == [3]


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"_target_": "mine.plain", "width": 1, "bias": "off"}, "bias must be true or false"),
        ({"_target_": "mine.plain", "widht": 1}, "did you mean task.inner[0].width?"),
        ({"_target_": "mine.plain"}, "no task.inner[0].width, which mine.plain needs"),
        ({"_target_": "mine.plain", "width": "???"}, "task.inner[0].width must be given"),
        ({"_target_": "mine.plain", "width": 1, "rate": "None"}, "write task.inner[0].rate=null"),
        ({"_target_": "mine.Layer.wide", "factor": 0.5}, "factor must be a whole number, not 0.5"),
        ({"_target_": "mine.plian", "width": 1}, "mine has no plian; did you mean plain?"),
        ({"_target_": "mine.number"}, "no class or function"),
        ({"_target_": "yours.plain"}, "no package yours; one of your own must be"),
        ({"_target_": "mine.plain", "_partial_": "yes"}, "_partial_ must be true or false"),
        ({"_target_": 3}, "_target_ must be a dotted name"),
    ],
)
def test_a_mistake_names_the_key_what_is_wrong_and_how_to_write_it(mine, node, said):
    with pytest.raises(SeqexpError) as error:
        checked(**node)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_null_that_is_no_default_is_part_of_an_identity(mine):
    """Without the key another value would be taken, and the identity be the same."""

    def nulls(**values):
        return explicit_nulls({"model": [{"_target_": "mine.plain", **values}]})

    assert nulls() == nulls(rate=3) == nulls(odd=None) == {}
    assert nulls(rate=None, odd=None) == {"null model[0].rate": "given"}
    inner = {"_target_": "mine.plain", "rate": None}
    assert nulls(odd={"deep": inner}) == {"null model[0].odd.deep.rate": "given"}


def test_what_python_cannot_tell_is_left_alone():
    assert signature_of(type) is None or signature_of(type)
    assert signature_of(object) == Signature({})


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("lr", "optimizer.learning_rate"),
        ("optimizer.lr", "optimizer.learning_rate"),
        ("learning_rate", "optimizer.learning_rate"),
        ("optimiser.learning_rate", "optimizer.learning_rate"),
        ("wd", "optimizer.weight_decay"),
        ("clip", "optimizer.clip_norm"),
        ("cell_dropout.rate", "model.cell_dropout.rate"),
        ("model.dropuot", "model.dropout"),
        ("droput", "model.dropout"),
        ("modle", "model"),
        ("trainer.step", "trainer.steps"),
        ("bs", "trainer.batch_size"),
        ("zebra", None),
    ],
)
def test_the_nearest_key(key, known):
    keys = """model model.dropout model.cell_dropout model.cell_dropout.rate model.features seed
    optimizer optimizer.learning_rate optimizer.weight_decay optimizer.clip_norm trainer
    trainer.steps trainer.batch_size study""".split()
    assert nearest(key, keys) == known
