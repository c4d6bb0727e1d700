"""seqexp's launcher for Hydra."""
