"""Every mistake: one clear line, an exit code, nothing a later sweep takes for finished."""

from __future__ import annotations

import json
import shutil

import pytest

from seqexp.data.download import DATA_DIR
from tests.full import full
from tests.sweeps.tiny import TINY, runs, seqexp
from tests.test_configs import menu

MISTAKES = {
    "an unknown key": (["model.hidden=3"], "hidden"),
    "a misspelt model": (
        ["model=lstmm"],
        "did you mean lstm?; there are antisymmetric, bag_of_words, co",
    ),
    "a part of models as one": (
        ["model=_recurrent"],
        "no such model; there are antisymmetric, bag_of_words, co",
    ),
    "an abbreviated key": (["lr=0.1"], "no key lr: did you mean optimizer.learning_rate?"),
    "a misspelt group": (["modle=gru"], "did you mean model?"),
    "a group's name in place of its package, without +": (
        ["cell_dropout=zoneout", "cell_dropout.rate=0.5"],
        "did you mean model.cell_dropout.rate?",
    ),
    "an option of nothing that was chosen": (
        ["match.budget=3"],
        "first choose one of match=carry, flops, params, step_time",
    ),
    "a list with a space": (["model=rnn,", "gru"], "without spaces it is model=rnn,gru"),
    "a word": (["gru"], "'gru': a setting is written KEY=VALUE"),
    "a list in brackets": (["model=[rnn,gru]"], "to try each of them write model=rnn,gru"),
    "a letter that needs quotes": (["+x=läufe"], "two pairs of quotes: '+x=\"läufe\"'"),
    "an underscore in a number": (
        ["logger.tags=[v1, 2024_11]"],
        "write 202411, for text put 2024_11",
    ),
    "zeros before a number": (["task.length=007"], "for a number write 7, for text put 007 in"),
    "a bracket left open": (["task.length=[1,2"], "an [ without its ]"),
    "a layer as a choice": (
        ["layer=gru"],
        "no key layer: files of layer/ are named by others: "
        f"model=stack model.layers=[{','.join(menu('layer'))}]",
    ),
    "layers of a model of one cell": (
        ["model.layers=[gru]"],
        "no key model.layers: choose model=encoder_decoder or model=rwkv7 or model=stack",
    ),
    "an option of another executor": (
        ["executor.cpus=2"],
        "no key executor.cpus: choose executor=processes or executor=ray or executor=submitit",
    ),
    "a layer that is none": (
        ["model=stack", "model.layers=[lstm,gur]"],
        f"model.layers: no layer 'gur'; there are {', '.join(menu('layer'))}",
    ),
    "an empty list of layers": (["model=stack", "model.layers=[]"], "model.layers is empty"),
    "an unknown key of a layer": (
        ["model=stack", "model.layers=[{lstm:{cell:{foo:1}}}]"],
        "no key model.layers[0].cell.foo",
    ),
    "a removal of nothing": (["~foo"], "~foo removes nothing: no key foo"),
    "a choice that is there": (["+model=gru"], "write model=NAME, without +"),
    "a key that is there": (["+model.dropout=0.1"], "write it without +"),
    "a removed model": (
        ["model=null"],
        f"first choose one of model={', '.join(menu('model'))}",
    ),
    "an interpolation of nothing": (["model.features=${foo}"], "model.features: Interpolation key"),
    "an unknown option": (["--nonsense"], "no option --nonsense"),
    "a folder that is none": (["--config-dir", "nowhere"], "there is no folder nowhere"),
    "an unknown launcher": (["hydra/launcher=slurm"], "there are basic, seqexp"),
    "a misspelt task": (["task=additon"], "additon"),
    "a key of a mapping": (["model.cell={foo: 1}"], "no key model.cell.foo"),
    "an unknown cell option": (["+model.cell.forget=1"], "forget"),
    "a negative length": (["task=adding", "task.length=-5"], "length"),
    "hidden size 0": (["model.features=0"], "model.features"),
    "no layers": (["model.depth=0"], "model.depth"),
    "an odd dropout": (["model.dropout=1.5"], "dropout"),
    "a bidirectional model of the future": (
        ["task=copy_memory", "model.bidirectional=true"],
        "causal",
    ),
    "steps that are no number": (["trainer.steps=many"], "trainer.steps"),
    "no steps": (["trainer.steps=0"], "trainer.steps"),
    "a batch larger than the data": (["trainer.batch_size=100000"], "batch_size"),
    "a negative learning rate": (["optimizer.learning_rate=-1"], "learning_rate"),
    "a negative seed": (["seed=-1"], "seed"),
    "a misspelt optimizer constant": (["+optimizer.scale.beta=0.9"], "beta"),
    "an impossible match": (["match=params", "match.budget=10"], "budget"),
    "too many devices": (["trainer.batch_devices=64"], "batch_devices"),
    "an unknown mode of the logger": (["logger.mode=sometimes"], "mode"),
    "an unknown rerun": (["rerun=maybe"], "rerun"),
    "a study outside the runs folder": (["study=../elsewhere"], "study"),
    "no study": (["study=null"], "study"),
    "peak memory neither on nor off": (["peak_memory=maybe"], "peak_memory"),
    "a batch that cannot be split": (["trainer.batch_devices=2", "trainer.batch_size=3"], "split"),
    "half a device": (["trainer.batch_devices=0.5"], "batch_devices"),
    "tags that are no list": (["logger.tags=one"], "tags"),
    "a boolean that is none": (
        ["model.bidirectional=no"],
        "model.bidirectional must be true or false, not 'no'",
    ),
    "another": (["model.residual=no"], "model.residual must be true or false"),
    "a cell's boolean": (["model.cell.layer_norm=off"], "model.cell.layer_norm must be true or"),
    "a word for null": (
        ["model.cell.peepholes=None"],
        "model.cell.peepholes must be true or false",
    ),
    "a count that is a boolean": (
        ["trainer.steps=true"],
        "trainer.steps must be a whole number, not true",
    ),
    "half a step": (["trainer.steps=1.5"], "trainer.steps must be a whole number, not 1.5"),
    "a name that means null": (["logger.entity=None"], "write logger.entity=null"),
    "a rate that is null": (["model.dropout=null"], "model.dropout must be a number, not null"),
    "a constant of optax": (["optimizer.scale.b1=no"], "optimizer.scale.b1 must be a number"),
    "a cell that is a word": (["model.cell=gru"], "model.cell must be a choice from the menu"),
    "an unknown option of pooling": (["model.pooling=first"], "one of last, mean, max"),
    "clipping that leaves nothing": (["optimizer.clip_norm=0"], "null for no clipping"),
    "an empty tag": (["logger.tags=[a,'']"], "logger.tags must be a list of words"),
    "a tag that is null": (["logger.tags=[null]"], "logger.tags must be a list"),
    "a project wandb would refuse": (["logger.project=a/b"], "logger.project"),
    "an unknown key, added": (["+lr=0.1"], "no key lr: did you mean optimizer.learning_rate?"),
    "a group's name in place of its package": (
        ["cell_dropout=zoneout", "+cell_dropout.rate=0.5"],
        "did you mean model.cell_dropout.rate?",
    ),
    "the same, of nothing that was chosen": (
        ["+cell_dropout.rate=0.5"],
        "first choose one of the menu with cell_dropout=NAME",
    ),
    "an unknown key of the optimizer": (["+optimizer.lr=1"], "mean optimizer.learning_rate?"),
    "an unknown key of the trainer": (["+trainer.bs=1"], "did you mean trainer.batch_size?"),
    "an unknown group": (["+augment={by: 3}"], "no key augment"),
    "a class that is not there": (
        ["model.cell._target_=seqexp.cells.LTSM"],
        "seqexp.cells has no LTSM; did you mean LSTM?",
    ),
    "a package that is not there": (
        ["model.cell._target_=mypkg.MGU"],
        "there is no package mypkg; one of your own must be installed, or lie in",
    ),
}


@pytest.mark.parametrize(
    ("mistake", "command"),
    [
        # The quick tests try every third.
        *[
            (mistake, "run") if n % 3 == 0 else full(mistake, "run")
            for n, mistake in enumerate(MISTAKES)
        ],
        *[full(mistake, "sweep") for mistake in ("an unknown key", "hidden size 0")],
        ("a misspelt model", "sweep"),
    ],
)
def test_a_mistake_is_one_clear_line(mistake, command, tmp_path, capsys):
    overrides, said = MISTAKES[mistake]
    settings = [
        setting
        for setting in TINY
        if setting.split("=")[0] not in [override.split("=")[0] for override in overrides]
    ]
    code = seqexp(command, *settings, *overrides, f"runs_dir={tmp_path / 'runs'}")
    captured = capsys.readouterr()
    assert code in (1, 2)
    errors = [line for line in captured.err.splitlines() if "error:" in line or "failed" in line]
    assert any(said in line for line in errors), captured.err
    assert "+lr" not in captured.err and "To append" not in captured.err
    assert "Traceback" not in captured.err + captured.out
    assert not runs(tmp_path / "runs" / "default")
    assert {path.name for path in tmp_path.iterdir()} <= {"runs"}, "nothing outside its place"


def test_a_grid_with_one_bad_point_trains_nothing(tmp_path, capsys):
    code = seqexp("sweep", *TINY, "model.features=3,0", f"runs_dir={tmp_path}")
    assert code == 2
    assert "model.features must be a whole number of at least 1" in capsys.readouterr().err
    assert not runs(tmp_path / "default")


def test_an_unknown_key_cannot_be_swept(tmp_path, capsys):
    assert seqexp("sweep", *TINY, "+lr=0.1,0.001", f"runs_dir={tmp_path}") == 2
    assert "no key lr: did you mean optimizer.learning_rate?" in capsys.readouterr().err
    assert not runs(tmp_path / "default")


def test_a_sweep_over_studies_is_refused(tmp_path, capsys):
    assert seqexp("sweep", *TINY, "study=a,b", f"runs_dir={tmp_path}") == 2
    assert "study must be the same" in capsys.readouterr().err


@pytest.mark.usefixtures("free")
def test_a_study_may_be_called_2024(tmp_path):
    assert seqexp("run", *TINY, "study=2024", "trainer.steps=1", f"runs_dir={tmp_path}") == 0
    assert len(runs(tmp_path / "2024")) == 1


@pytest.mark.parametrize("tags", ["a,,b", " ", "x" * 65])
def test_tags_of_the_environment_that_wandb_would_refuse(tags, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_TAGS", tags)
    assert seqexp("run", *TINY, f"runs_dir={tmp_path}") == 2
    assert "WANDB_TAGS must be words of at most 64 letters" in capsys.readouterr().err
    assert not runs(tmp_path / "default")


def test_a_runs_folder_that_cannot_be_written(tmp_path, capsys):
    """A file where the folder should be: like a read-only one, but also for root."""
    (tmp_path / "file").write_text("")
    for command in ("run", "sweep"):
        assert seqexp(command, *TINY, f"runs_dir={tmp_path / 'file' / 'runs'}") == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and "runs" in err


def test_missing_data_says_which_from_where_and_how_to_supply_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(DATA_DIR, str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    code = seqexp("run", "task=jsb_chorales", "logger.mode=disabled", f"runs_dir={tmp_path}")
    assert code == 2
    err = capsys.readouterr().err
    assert "JSB_Chorales.mat" in err and "https://" in err and DATA_DIR in err
    assert not runs(tmp_path / "default")


def test_a_corrupt_data_file_is_named_and_left_as_it_is(tmp_path, monkeypatch, capsys):
    data = tmp_path / "data" / "jsb_chorales" / "JSB_Chorales.mat"
    data.parent.mkdir(parents=True)
    data.write_bytes(b"not a chorale")
    monkeypatch.setenv(DATA_DIR, str(tmp_path / "data"))
    code = seqexp("run", "task=jsb_chorales", "logger.mode=disabled", f"runs_dir={tmp_path}")
    assert code == 2
    err = capsys.readouterr().err
    assert str(data) in err and "sha256" in err
    assert data.read_bytes() == b"not a chorale"
    assert not runs(tmp_path / "default")


@pytest.mark.full
def test_a_half_written_run_is_not_taken_for_finished(tmp_path, capsys):
    arguments = ["run", *TINY, "model=rnn", f"runs_dir={tmp_path}", "study=a"]
    assert seqexp(*arguments) == 0
    (folder,) = (tmp_path / "a").glob("*/run.json")
    whole = json.loads(folder.read_text())
    folder.write_text(folder.read_text()[:100])
    assert seqexp(*arguments) == 0
    assert "1 finished" in capsys.readouterr().err
    again = json.loads(folder.read_text())
    assert again["score"] == whole["score"]


def test_an_unknown_command_and_no_command(capsys):
    assert seqexp("swep") == 2
    assert "no command 'swep'" in capsys.readouterr().err
    assert seqexp() == 2
    assert seqexp("--help") == 0
    assert "usage: seqexp" in capsys.readouterr().out


def test_a_report_of_nothing(tmp_path, capsys):
    assert seqexp("report", str(tmp_path / "none")) == 2
    assert capsys.readouterr().err.count("\n") == 1
    (tmp_path / "empty").mkdir()
    assert seqexp("report", str(tmp_path / "empty")) == 2
    assert capsys.readouterr().err.count("\n") == 1
    shutil.rmtree(tmp_path / "empty")
