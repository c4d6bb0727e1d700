"""Records of before are one with today's."""

from __future__ import annotations

import json

from synthetic_records import write_json, write_run

from seqexp.analysis import load


def test_seeds_are_one_group_though_an_earlier_rule_named_them(tmp_path):
    """An option that came later is null in the one record and absent from the other."""
    for seed, config in ((0, {}), (1, {"new": None})):
        folder = write_run(tmp_path / "study", "gru", "adding", seed)
        run = json.loads((folder / "run.json").read_text())
        settings = {**run["config"], **config}
        write_json(folder / "run.json", {**run, "config": settings, "group": f"named-{seed}"})
        write_json(folder / "manifest.json", {"data_hashes": {}, "device_kind": "cpu"})
    runs = load(tmp_path / "study").runs
    assert len(set(runs["group"])) == len(set(runs["label"])) == 1
