"""The menu of configs: a package, so that Hydra finds it as `seqexp.conf`."""
