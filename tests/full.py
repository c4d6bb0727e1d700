"""Parameters of tests that only the exhaustive matrix tries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def full(*values: Any, id: str | None = None) -> Any:
    """One parameter, of one value or of several."""
    return pytest.param(*values, marks=pytest.mark.full, id=id)


LONG = (
    "analysis/test_certainty.py::test_equal_seeds",
    "analysis/test_further.py::test_a_task_without_further_splits",
    "analysis/test_report_numbers.py::test_a_number_of_the_records_that_is_another",
    "analysis/test_report_numbers.py::test_no_number",
    "analysis/test_report_page.py::test_a_budget",
    "analysis/test_report_page.py::test_a_cost_that_is_not_known",
    "analysis/test_report_page.py::test_records_that_are_left_out",
    "analysis/test_report_page.py::test_studies_are_reported",
    "analysis/test_report_writing.py::test_a_report_is_written_elsewhere",
    "commands/test_conform.py",
    "commands/test_inspect.py::test_finished_runs",
    "commands/test_mistakes.py::test_a_study_may_be_called_2024",
    "commands/test_own_configs.py::test_a_grid_is_what_hydra_makes",
    "commands/test_own_configs.py::test_a_model_of_an_own_package",
    "commands/test_own_configs.py::test_globs_and_ranges",
    "commands/test_own_configs.py::test_null_removes",
    "commands/test_start_jax.py::test_a_platform",
    "commands/test_start_jax.py::test_the_users_number",
    "costs/test_measured_costs.py::test_energy",
    "costs/test_measured_costs.py::test_what_training_costs",
    "costs/test_memory_needed.py",
    "costs/test_peak_resident.py",
    "data/test_buckets.py::test_a_part_too_small",
    "data/test_buckets.py::test_batches_of_about_as_many_tokens",
    "data/test_lanes.py::test_in_an_epoch_each_token",
    "data/test_spec_augment.py::test_masks_do_not_depend_on_padding",
    "data/test_spec_augment.py::test_one_mask",
    "experiments/test_speed_study.py::test_two_devices_and_flax",
    "inspection/figures/test_page.py::test_the_animation_has_a_frame",
    "inspection/figures/test_pictures.py::test_files_are_the_same",
    "inspection/figures/test_pictures.py::test_nothing_is_clipped",
    "inspection/test_attention_maps.py::test_weights_are_those_of_the_equations",
    "inspection/test_inspector.py::test_all_that_is_defined",
    "inspection/test_inspector.py::test_norms_are_those_of_a_step",
    "inspection/test_samples.py::test_a_model_that_cannot_decode",
    "inspection/test_spectra.py::test_padding_never_matters",
    "laws/test_laws.py::test_a_cell_that_doubles",
    "laws/test_laws.py::test_own_code",
    "laws/test_laws.py::test_the_command_prints_a_line_a_law",
    "layers/test_attention.py::test_a_full_cache",
    "layers/test_layer_laws.py::test_layers_keep_the_laws_in_float32",
    "layers/test_recurrent_layers.py::test_both_directions_in_one_scan",
    "layers/test_tcn.py::test_it_sees",
    "models/test_embedding.py::test_another_width",
    "models/test_embedding.py::test_members_of_a_group",
    "models/test_embedding.py::test_rows_are_the_files",
    "models/test_encoder_decoder.py::test_an_empty_source",
    "models/test_encoder_decoder.py::test_weights_sum",
    "models/test_sequence_model.py::test_a_cell_of_another_width",
    "models/test_sequence_model.py::test_decoding_step_by_step",
    "recurrences/test_cudnn.py::test_layers_run",
    "recurrences/test_cudnn.py::test_members",
    "recurrences/test_remat.py::test_memory_grows",
    "recurrences/test_remat.py::test_with_any_number_of_steps",
    "recurrences/test_remat.py::test_with_checkpoints",
    "runs/test_run_wandb_failures.py::test_online",
    "runs/test_run_wandb_mirror.py::test_curves",
    "runs/test_run_wandb_mirror.py::test_what_a_width",
    "runs/test_wandb_fetch.py",
    "sweeps/test_damage.py",
    "sweeps/test_foreign.py::test_a_helper_that_changed",
    "sweeps/test_inspection.py::test_an_inspection_that_fails",
    "sweeps/test_inspection.py::test_inspection_changes_nothing",
    "sweeps/test_known_runs.py",
    "sweeps/test_matching.py::test_counted_costs_grow",
    "sweeps/test_matching.py::test_flops_are_three_times",
    "sweeps/test_matching.py::test_flops_of_padding",
    "sweeps/test_rerun.py::test_a_rerun",
    "sweeps/test_rerun.py::test_another_command",
    "sweeps/test_sharing.py::test_a_run_that_another",
    "sweeps/test_slice_width.py",
    "sweeps/test_sweep.py::test_a_diverging",
    "sweeps/test_sweep.py::test_a_failure_in_one_group",
    "sweeps/test_sweep.py::test_a_run_made_by_other_code",
    "sweeps/test_sweep.py::test_diverged_is_said",
    "sweeps/test_sweep.py::test_what_other_code",
    "sweeps/test_trained.py::test_a_loaded_run_has_the_recorded_scores",
    "tasks/test_audio_files.py",
    "tasks/test_baselines.py",
    "tasks/test_copy_memory.py::test_longer_splits",
    "tasks/test_ctc_loss.py::test_padding",
    "tasks/test_digit_strings.py",
    "tasks/test_jsb_chorales.py::test_buckets",
    "tasks/test_own_text.py::test_bits_of_byte_pairs",
    "tasks/test_own_text.py::test_macro_f1",
    "tasks/test_shakespeare_words.py",
    "tasks/test_spoken_digits.py",
    "tasks/test_sst2.py",
    "tasks/test_synthetic.py::test_lengths_of_splits",
    "tasks/test_synthetic.py::test_splits_have_seeds",
    "tasks/test_token_vectors.py",
    "tasks/test_ud_ewt.py",
    "test_readme.py::test_a_task_and_a_layer_of_ones_own_keep_all_laws",
    "test_readme.py::test_a_task_of_ones_own_trains_from_a_file",
    "toys/test_toys.py",
    "training/test_batches.py::test_shapes_are_those",
    "training/test_beam.py::test_a_beam_of_1",
    "training/test_beam.py::test_padding",
    "training/test_beam.py::test_scores_are_the_probabilities",
    "training/test_compiled.py::test_programs_take_mappings",
    "training/test_decoding.py::test_a_free_answer_is_written",
    "training/test_decoding.py::test_free_running",
    "training/test_decoding.py::test_greedy",
    "training/test_decoding.py::test_sampling",
    "training/test_evaluation.py::test_a_member_that_is_not_active",
    "training/test_evaluation.py::test_what_is_no_mean",
    "training/test_loss_weights.py::test_the_scale",
    "training/test_loss_weights.py::test_what_weighs",
    "training/test_mesh.py::test_what_devices_sum",
    "training/test_stateful.py::test_a_step_that_diverges",
    "training/test_stateful.py::test_a_window_as_long",
    "training/test_stateful.py::test_law_4",
    "training/test_stateful.py::test_resuming",
    "training/test_stateful.py::test_the_second_window",
    "training/test_stateful.py::test_training_is_a_loop",
    "training/test_stateful.py::test_what_is_held_out",
)
"""Beginnings of the names of further tests of the exhaustive matrix: each takes more than 2 s of
processor time, or reads much real data."""

ARCHITECTURES = (
    "bag_of_words",
    "deltanet",
    "encoder_decoder",
    "gru",
    "mamba",
    "s5",
    "stack",
    "tcn",
    "transformer",
)
"""One model of each make: what costs a quarter of a minute to try of each is tried of them."""

QUICK = ("adding", "dyck_2", "japanese_vowels", "jsb_chorales", "multi30k", "text")
"""The tasks that the quick tests try: each differs in how its data comes or is judged."""


def tasks(names: Iterable[str]) -> list[Any]:
    """Tasks of the menu as parameters."""
    return [name if name in QUICK else full(name) for name in names]
