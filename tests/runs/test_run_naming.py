"""What models are called: their name and the settings that tell their groups apart."""

from __future__ import annotations

from seqexp.runs.naming import Group, Label, flatten, labels, shared, told


def named(*groups: tuple[str, str, dict]) -> list[tuple[str, str]]:
    """The labels of (task, model, config), each a group of its own."""
    settings = {
        Group(task, model, f"{i}cafe00"): shared([flatten(config)])
        for i, (task, model, config) in enumerate(groups)
    }
    return [(label.task, label.whole) for label in labels(settings).values()]


def config(rate=0.001, units=8, length=10, **more):
    return {
        "optimizer": {"learning_rate": rate},
        "model": {"units": units},
        "task": {"length": length},
    } | more


def test_a_model_alone_keeps_its_name():
    assert named(("adding", "lstm", config()), ("adding", "gru", config(units=12))) == [
        ("adding", "lstm"),
        ("adding", "gru"),
    ]


def test_settings_that_vary_within_a_model_and_task_are_told():
    assert named(
        ("adding", "lstm", config(0.001)),
        ("adding", "lstm", config(0.003)),
        ("digits", "lstm", config(0.001)),
    ) == [("adding", "lstm lr=0.001"), ("adding", "lstm lr=0.003"), ("digits", "lstm")]


def test_a_model_is_called_the_same_however_it_is_trained():
    groups = [("adding", 0.1, 8), ("adding", 0.2, 8), ("adding", 0.2, 16), ("digits", 0.1, 8)]
    found = labels(
        {
            Group(task, "lstm", str(i)): flatten(config(rate, units))
            for i, (task, rate, units) in enumerate(groups)
        }
    )
    assert [(label.model, label.setting) for label in found.values()] == [
        ("lstm units=8", "lr=0.1"),
        ("lstm units=8", "lr=0.2"),
        ("lstm units=16", "lr=0.2"),
        ("lstm", ""),
    ]
    assert [label.whole for label in found.values()][0] == "lstm units=8 lr=0.1"


def test_settings_of_the_task_tell_tasks_apart():
    assert named(("adding", "lstm", config(length=10)), ("adding", "gru", config(length=99))) == [
        ("adding length=10", "lstm"),
        ("adding length=99", "gru"),
    ]


def test_the_seed_and_what_follows_it_tell_nothing():
    first, second = (flatten(config(seed=s, folder=f"runs/{s}")) for s in (0, 1))
    assert shared([first, second]) == flatten(config())
    assert named(
        ("adding", "lstm", config(0.1, seed=0)), ("adding", "lstm", config(0.2, seed=1))
    ) == [("adding", "lstm lr=0.1"), ("adding", "lstm lr=0.2")]


def test_keys_that_end_alike_are_told_in_full():
    assert named(
        ("adding", "lstm", {"model": {"rate": 0.1}, "optimizer": {"rate": 1}}),
        ("adding", "lstm", {"model": {"rate": 0.2}, "optimizer": {"rate": 2}}),
    ) == [
        ("adding", "lstm model.rate=0.1 optimizer.rate=1"),
        ("adding", "lstm model.rate=0.2 optimizer.rate=2"),
    ]


def test_a_part_that_is_exchanged_is_told_by_its_class():
    assert named(
        ("adding", "lstm", {"model": {"norm": {"_target_": "flax.nnx.LayerNorm"}}}),
        ("adding", "lstm", {"model": {"norm": {"_target_": "flax.nnx.RMSNorm"}}}),
    ) == [("adding", "lstm norm=LayerNorm"), ("adding", "lstm norm=RMSNorm")]


def test_groups_are_never_called_the_same():
    assert named(("adding", "lstm", config()), ("adding", "lstm", config())) == [
        ("adding", "lstm #0cafe0"),
        ("adding", "lstm #1cafe0"),
    ]


def test_a_run_without_a_config_does_not_spoil_the_labels():
    assert named(("adding", "lstm", config()), ("adding", "lstm", {}))[0][1].startswith("lstm #")
    assert labels({Group("a", "b", "c"): {}}) == {Group("a", "b", "c"): Label("a", "b", "")}


def test_a_width_that_was_solved_for_is_told_by_its_budget():
    """Widths differ between tasks and models, budgets do not."""
    settings = {}
    for task, rate, budget, width in [
        ("adding", 0.1, 3_500, 28),
        ("adding", 0.2, 3_500, 28),
        ("adding", 0.1, 13_300, 57),
        ("digits", 0.1, 3_500, 27),
        ("digits", 0.1, 13_300, 54),
    ]:
        run = {"match": {"by": "params", "budget": budget, "width": width, "reached": budget + 1}}
        own = flatten({"model": {"features": width}, "optimizer": {"learning_rate": rate}})
        settings[Group(task, "lstm", f"{rate} {width}")] = told(own, run)
    assert [label.whole for label in labels(settings).values()] == [
        "lstm params=3500 lr=0.1",
        "lstm params=3500 lr=0.2",
        "lstm params=13300 lr=0.1",
        "lstm params=3500",
        "lstm params=13300",
    ]
    own = flatten({"model": {"features": 8}})
    assert told(own, {"match": None}) == told(own, {}) == own


ADAM = {"scale": {"_target_": "optax.scale_by_adam", "b1": 0.9}, "learning_rate": 0.002}
RMSPROP = {"scale": {"_target_": "optax.scale_by_rms", "eps_in_sqrt": False}, "learning_rate": 0.01}
ZONEOUT = {"_target_": "seqexp.layers.Zoneout", "rate": 0.1}
BARE = {"optimizer": ADAM, "model": {"units": 8}}


def chosen(*runs: tuple[dict, dict | None]) -> list[Label]:
    """The labels of LSTMs on a task by their (config, choices), each a group of its own."""
    settings = {}
    for i, (own, choices) in enumerate(runs):
        run = {} if choices is None else {"choices": choices}
        settings[Group("adding", "lstm", f"{i}cafe00")] = told(flatten(own), run)
    return list(labels(settings).values())


def test_the_menu_s_choice_stands_for_its_contents_and_the_learning_rate_is_first():
    faster = {"optimizer": {**ADAM, "learning_rate": 0.01}}
    found = chosen(
        (BARE, {"optimizer": "adam"}),
        (BARE | faster, {"optimizer": "adam"}),
        (BARE | {"optimizer": RMSPROP}, {"optimizer": "rmsprop"}),
    )
    assert [label.whole for label in found] == [
        "lstm lr=0.002 optimizer=adam",
        "lstm lr=0.01 optimizer=adam",
        "lstm lr=0.01 optimizer=rmsprop",
    ]
    assert found[0].run(3) == "lstm adding lr=0.002 optimizer=adam seed 3"


def test_a_choice_tells_of_the_rate_that_comes_with_it():
    found = chosen(
        (BARE, {"optimizer": "adam"}), (BARE | {"optimizer": RMSPROP}, {"optimizer": "rmsprop"})
    )
    assert [label.whole for label in found] == ["lstm optimizer=adam", "lstm optimizer=rmsprop"]


def test_a_choice_within_the_model_is_the_model_s_and_nothing_chosen_is_not_told():
    def dropped(rate: float) -> dict:
        return BARE | {"model": {"units": 8, "cell_dropout": {**ZONEOUT, "rate": rate}}}

    found = chosen(
        (BARE, {"cell_dropout": None}),
        (dropped(0.1), {"cell_dropout": "zoneout"}),
        (dropped(0.3), {"cell_dropout": "zoneout"}),
    )
    assert [label.model for label in found] == [
        "lstm",
        "lstm cell_dropout=zoneout rate=0.1",
        "lstm cell_dropout=zoneout rate=0.3",
    ]
    assert found[1].run(0) == "lstm adding cell_dropout=zoneout rate=0.1 seed 0"


def test_a_choice_that_changes_nothing_that_is_told_is_not_told():
    """An experiment's file sets what a command line may set as well."""
    runs = [(BARE, "one"), (BARE | {"optimizer": {**ADAM, "learning_rate": 0.01}}, None)]
    found = chosen(*((own, {"experiment": name, "logger": name}) for own, name in runs))
    assert [label.whole for label in found] == ["lstm lr=0.002", "lstm lr=0.01"]


def test_records_of_old_tell_no_choices_and_are_told_apart_by_their_settings():
    for choices in (None, {"model": "lstm"}):
        found = chosen((BARE, {"optimizer": "adam"}), (BARE | {"optimizer": RMSPROP}, choices))
        assert [label.setting for label in found] == [
            "lr=0.002 scale=scale_by_adam b1=0.9",
            "lr=0.01 scale=scale_by_rms eps_in_sqrt=false",
        ]


def test_a_file_that_was_placed_elsewhere_stands_for_what_is_there():
    def normed(name: str) -> tuple[dict, dict]:
        return {"model": {"norm": {"_target_": f"mine.{name}", "eps": 1}}}, {
            "layer@model.norm": name.lower()
        }

    found = chosen(normed("Layer"), normed("Rms"))
    assert [label.whole for label in found] == ["lstm norm=layer", "lstm norm=rms"]
