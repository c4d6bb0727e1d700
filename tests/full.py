"""Parameters of tests that only the exhaustive matrix tries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def full(*values: Any, id: str | None = None) -> Any:
    """One parameter, of one value or of several."""
    return pytest.param(*values, marks=pytest.mark.full, id=id)


LONG = (
    "analysis/test_report_numbers.py::test_a_number_of_the_records_that_is_another",
    "commands/test_conform.py::test_a_broken_one",
    "commands/test_inspect.py::test_finished_runs",
    "data/test_buckets.py::test_batches_of_about_as_many_tokens",
    "inspection/figures/test_pictures.py::test_nothing_is_clipped",
    "inspection/test_inspector.py::test_all_that_is_defined",
    "laws/test_laws.py::test_a_cell_that_doubles",
    "models/test_sequence_model.py::test_decoding_step_by_step",
    "recurrences/test_remat.py::test_with_any_number_of_steps",
    "runs/test_wandb_fetch.py",
    "sweeps/test_damage.py",
    "sweeps/test_inspection.py::test_an_inspection_that_fails",
    "sweeps/test_inspection.py::test_inspection_changes_nothing",
    "sweeps/test_sweep.py::test_a_failure_in_one_group",
    "sweeps/test_sweep.py::test_diverged_is_said",
    "sweeps/test_trained.py::test_a_loaded_run_has_the_recorded_scores",
    "test_readme.py::test_a_task_and_a_layer_of_ones_own_keep_all_laws",
    "test_readme.py::test_a_task_of_ones_own_trains_from_a_file",
    "tasks/test_audio_files.py",
    "tasks/test_digit_strings.py",
    "tasks/test_own_text.py::test_bits_of_byte_pairs",
    "tasks/test_own_text.py::test_macro_f1",
    "tasks/test_shakespeare_words.py",
    "tasks/test_spoken_digits.py",
    "tasks/test_sst2.py",
    "tasks/test_synthetic.py::test_lengths_of_splits",
    "tasks/test_synthetic.py::test_splits_have_seeds",
    "tasks/test_token_vectors.py",
    "tasks/test_ud_ewt.py",
    "toys/test_toys.py",
    "training/test_beam.py::test_scores_are_the_probabilities",
    "training/test_evaluation.py::test_what_is_no_mean",
    "training/test_stateful.py::test_law_4",
    "training/test_stateful.py::test_resuming",
    "training/test_stateful.py::test_the_second_window",
)
"""Beginnings of the names of further tests of the exhaustive matrix: each takes more than 4 s of
processor time, or reads much real data."""

ARCHITECTURES = (
    "bag_of_words",
    "deltanet",
    "encoder_decoder",
    "gru",
    "lstm",
    "mamba",
    "rnn",
    "s5",
    "stack",
    "tcn",
    "transformer",
)
"""One model of each make: what costs a quarter of a minute to try of each is tried of them."""

REPRESENTED = {
    "text": ["order", "shakespeare_words", "sst2", "ud_ewt"],
    "japanese_vowels": ["italy_power_demand", "labelled_series"],
    "mackey_glass": ["etth1", "lorenz", "series"],
    "digits": ["permuted_mnist", "sequential_mnist"],
    "adding": ["adding_longer"],
    "copy_memory": ["copy_memory_longer"],
    "selective_copy": ["associative_recall", "delayed_recall", "n_back", "temporal_order"],
    "dyck_2": ["cycle_navigation", "dyck_1", "list_ops", "modular_arithmetic", "parity"],
    "spoken_digits": ["audio", "digit_strings"],
}
"""The task of a family that stands for others of it."""


KINDS = ("digit_strings", "parity", "series", "ud_ewt")
"""Besides, tasks whose data comes or is judged in a way that no representative has."""


def one_of_each_kind(names: Iterable[str]) -> list[str]:
    """Tasks of the menu that differ in how their data comes or is judged: what costs a minute to
    try of each task is tried of them."""
    others = {name for family in REPRESENTED.values() for name in family} - set(KINDS)
    return [name for name in names if name not in others]


QUICK = ("adding", "dyck_2", "japanese_vowels", "jsb_chorales", "multi30k", "text")
"""The tasks that the quick tests try."""


def tasks(names: Iterable[str]) -> list[Any]:
    """Tasks of the menu as parameters."""
    return [name if name in QUICK else full(name) for name in names]
