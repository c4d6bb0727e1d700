"""Points that differ in plain values are made of one that was composed, as if each was composed."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from seqexp.commands import composition
from seqexp.commands.composition import Composed, configs_of, points_in, points_of
from seqexp.commands.overrides import read
from seqexp.sweeps import Point
from seqexp.sweeps.derived_points import Derivation
from seqexp.types import SeqexpError
from tests.full import full

FILES = {
    "experiment/rate.yaml": "rate: 0.5\nmodel: {dropout: '${rate}'}\n",
    "experiment/read.yaml": "trainer: {eval_every: '${trainer.steps}'}\n",
    "experiment/relative.yaml": "trainer: {eval_every: '${.steps}'}\n",
    "experiment/ancestor.yaml": "again: '${trainer}'\nlogger: {tags: ['${again.steps}']}\n",
    "experiment/chained.yaml": "a: '${b}'\nb: '${seed}'\nlogger: {tags: ['x${a}']}\n",
    "experiment/nested.yaml": "key: steps\ntrainer: {eval_every: '${trainer.${key}}'}\n",
    "experiment/resolver.yaml": "logger: {tags: ['${oc.select:seed,3}']}\n",
    "experiment/other.yaml": "own: 7\ntrainer: {eval_every: '${own}'}\n",
    "experiment/layer.yaml": "model:\n"
    "  layers: [{lstm: {cell: {forget_bias: '${model.dropout}'}}}, gru]\n",
    "experiment/within.yaml": "one: '${trainer}'\nlogger: {tags: ['${one.steps}']}\n",
    "experiment/narrow.yaml": "hydra: {sweeper: {params: {seed: '0,1', trainer.steps: '5,6'}}}\n",
    "optimizer/own.yaml": "defaults: [adam]\nclip_norm: '${.learning_rate}'\n",
}

SWEEPS = [
    # Derived: by far the most.
    "model=gru seed=0,1,2 optimizer.learning_rate=1e-3,3e-3",
    "seed=range(0,3) trainer.steps=1e2,200",
    "seed=0,1 study=a,b",
    "seed=0,1.0,2.0",
    "rerun=never,always peak_memory=true,false",
    "seed=0,1 runs_dir=a,'b c'",
    "optimizer.clip_norm=null,1,1.0 optimizer.weight_decay=0,0.0,-0.0",
    "trainer.batch_devices=auto,1,2 logger.project=a,2024",
    "model=lstm,gru,rnn model.features=3,4 seed=0,1",
    "model=gru,lru seed=1,0 model.dropout=0,0.1",
    "match=params match.budget=3000,4000 match.tolerance=0.1,0.2 seed=0,1",
    "match=null,params seed=0,1",
    "optimizer=adam,rmsprop optimizer.learning_rate=1e-3,1e-2 seed=0,1",
    "inspect=light,off seed=0,1",
    "cell_dropout=null,zoneout,recurrent seed=0,1",
    "cell_dropout=zoneout model.cell_dropout.rate=0.1,0.2 seed=0,1",
    "task=adding task.length=10,20 seed=0,1",
    "task=adding,copy_memory seed=0,1",
    "seed=0,1 ++optimizer.clip_norm=1.0,2.0",
    "seed=0,1 ~logger",
    "seed=0,1 logger=null",
    "logger.tags=[a],[b,c] seed=0,1",
    "logger.tags=[a,2024] logger.entity=null,us seed=0,1",
    "model.cell={activation:relu},{activation:tanh} model=rnn seed=0,1",
    "model.cell.activation=relu,tanh model=rnn seed=0,1",
    "model=stack model.layers=[lstm],[gru,gru] seed=0,1",
    "model=stack model.layers=[{lstm:{cell:{forget_bias:0.5}}},gru] model.features=3,4 seed=0,1",
    "model=glob([lstm,rnn]) seed=choice(3,4)",
    "executor.cpus=1,2 executor=submitit seed=0,1",
    # Read by others.
    "model.features=3,${seed} seed=5,6",
    "seed=5,6 model.features=${.depth},4 model.depth=1,2",
    "experiment=rate rate=0.1,0.2 seed=0,1",
    "experiment=read trainer.steps=5,6 seed=0,1",
    "experiment=relative trainer.steps=5,6 seed=0,1",
    "experiment=ancestor trainer.steps=5,6 seed=0,1",
    "experiment=within trainer.steps=5,6 trainer.batch_size=4,5",
    "experiment=chained seed=5,6",
    "experiment=nested trainer.steps=5,6 seed=0,1",
    "experiment=nested key=steps,batch_size seed=0,1",
    "experiment=resolver seed=0,1",
    "experiment=layer model=stack model.dropout=0.1,0.2 seed=0,1",
    "experiment=narrow model=gru,lstm",
    "experiment=narrow seed=3,4",
    "optimizer=own optimizer.learning_rate=0.1,0.2 seed=0,1",
    "optimizer=own,adam seed=0,1",
]
QUICK = 3
"""So many of the sweeps are tried always: to compose takes a quarter of a second."""

MISTAKES = [
    "seed=0,yes",
    "seed=0,1.5",
    "seed=0,null",
    "seed=0,??? model=gru",
    "seed=0,none",
    "optimizer.clip_norm=1,none",
    "optimizer.learning_rate=0.1,true",
    "trainer.steps=5,a trainer.eval_every=1,b",
    "trainer.eval_every=1,b trainer.steps=5,a",
    "trainer.steps=5,1.5 seed=0,x",
    "peak_memory=true,1",
    "rerun=never,sometimes",
    "study=a,[b]",
    "model.features=3,no model=gru",
    "model.cell.activation=relu,[x] model=rnn",
    "logger.mode=offline,sometimes",
    "experiment=other seed=0,1 trainer.eval_every=${own},3",
    "experiment=other trainer.eval_every=${own},3 own=1,2",
]


@pytest.fixture
def folder(tmp_path) -> Path:
    """Configs of a user's own, many of which read what is swept."""
    for name, text in FILES.items():
        path = tmp_path / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        head = "# @package _global_\n" if name.startswith("experiment") else ""
        path.write_text(head + text)
    return tmp_path / "conf"


def asked(sweep: str, folder: Path):
    words = sweep.replace("'b c'", "'b_c'").split()
    return read([*words, "--config-dir", str(folder)], "sweep")


def composed_alone(sweep: str, folder: Path) -> list[Point]:
    """Each point by itself, its values set before anything is resolved."""
    configs = configs_of(asked(sweep, folder), anyhow=True) or []
    return [points_in([Composed(config.config(), config.whole)])[0] for config in configs]


def same(one: Point, other: Point) -> bool:
    """Equal, down to the order of keys and the types of numbers."""
    return repr(one) == repr(other)


@pytest.mark.parametrize("sweep", [s if i < QUICK else full(s, id=s) for i, s in enumerate(SWEEPS)])
def test_a_derived_point_is_the_composed_one(sweep, folder):
    derived = points_of(asked(sweep, folder))
    alone = composed_alone(sweep, folder)
    assert len(derived) == len(alone) > 1
    for one, other in zip(derived, alone, strict=True):
        assert same(one, other)


@pytest.mark.full
@pytest.mark.parametrize("sweep", [s for s in SWEEPS if "(" not in s and "," in s][::4])
def test_a_derived_point_is_what_hydra_composes_of_its_values_alone(sweep, folder):
    parsed = asked(sweep, folder).overrides
    every = [
        [f"{each.get_key_element()}={value}" for value in each.sweep_string_iterator()]
        if each.is_sweep_override()
        else [str(each.input_line)]
        for each in parsed
    ]
    derived = points_of(asked(sweep, folder))
    lone = [points_of(asked(" ".join(words), folder)) for words in itertools.product(*every)]
    if "narrow" not in sweep:
        assert all(len(points) == 1 for points in lone)
    for one, other in zip(derived, [p for points in lone for p in points], strict=True):
        assert same(one, other)


@pytest.mark.parametrize(
    "sweep", [s if i < QUICK else full(s, id=s) for i, s in enumerate(MISTAKES)]
)
def test_a_mistake_is_told_as_of_a_composed_point(sweep, folder):
    with pytest.raises(SeqexpError) as told:
        points_of(asked(sweep, folder))
    with pytest.raises(SeqexpError) as alone:
        composed_alone(sweep, folder)
    assert str(told.value) == str(alone.value) and "\n" not in str(told.value)


def test_the_number_of_compositions_does_not_grow_with_that_of_plain_values(monkeypatch, folder):
    counts: dict[str, int] = {}

    def count(owner, name):
        function = getattr(owner, name)

        def counted(*arguments, **options):
            counts[name] = counts.get(name, 0) + 1
            return function(*arguments, **options)

        monkeypatch.setattr(owner, name, counted)

    count(composition, "compose")
    count(composition, "with_layers")
    for name in ("to_container", "update", "masked_copy", "to_yaml"):
        count(OmegaConf, name)
    took = []
    for seeds in (3, 30):
        counts.clear()
        sweep = f"model=gru,lstm seed=range(0,{seeds}) optimizer.learning_rate=1e-3,2e-3"
        assert len(points_of(asked(sweep, folder))) == 4 * seeds
        took.append(dict(counts))
    assert took[0] == took[1]
    assert took[0]["compose"] == 3 and took[0]["with_layers"] == 2


def test_points_share_what_they_have_in_common(folder):
    first, second, third, fourth = points_of(
        asked("seed=0,1 optimizer.learning_rate=1e-3,2e-3", folder)
    )
    assert first.config["model"] is fourth.config["model"]
    assert first.config["optimizer"] is third.config["optimizer"]
    assert first.config["optimizer"] is not second.config["optimizer"]
    assert first.but_for_seed() == third.but_for_seed() != second.but_for_seed()


@pytest.mark.parametrize(
    "config, key, settable",
    [
        ({"seed": 1, "model": {"a": 2}}, "model.a", True),
        ({"seed": 1, "model": {"a": "${seed}"}}, "seed", False),
        ({"seed": 1, "model": {"a": "${seed}"}}, "model.a", False),
        ({"seed": 1, "model": {"a": 2, "b": "${.a}"}}, "model.a", False),
        ({"seed": 1, "model": {"a": 2}, "b": "${model}"}, "model.a", False),
        ({"seed": 1, "model": {"a": 2, "b": "${..seed}"}}, "seed", False),
        ({"seed": 1, "model": {"a": 2, "b": "${oc.env:HOME}"}}, "model.a", True),
        ({"seed": 1, "model": {"a": 2, "b": "${oc.env:${name}}"}, "name": "HOME"}, "seed", False),
        ({"seed": 1, "model": {"a": 2, "b": ["x${task.c}"]}, "task": {"c": 1}}, "seed", True),
        ({"seed": 1, "model": {"a": 2}}, "model.new", False),
        ({"seed": 1, "model": {"a": {"c": 2}}}, "model.a", False),
        ({"seed": 1, "model": {"layers": [1]}}, "model.layers", False),
        ({"seed": 1, "executor": {"cpus": 1}}, "executor.cpus", False),
        ({"seed": 1, "own": 1, "model": {"a": "${own}"}}, "own", False),
    ],
)
def test_what_others_may_read_is_not_set_by_itself(config, key, settable):
    point = Point({}, "", "")
    node = OmegaConf.create(config)
    assert isinstance(node, DictConfig)
    assert Derivation(point, node)._may_set(key) is settable
