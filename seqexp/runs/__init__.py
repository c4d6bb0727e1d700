"""The record of a run on disk: identity, manifest, metrics, checkpoints, and its wandb mirror."""
