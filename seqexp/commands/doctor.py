"""`seqexp doctor`: is this machine's JAX fit for experiments?"""

from __future__ import annotations

import sys


def main(arguments: list[str]) -> int:
    """Print versions and devices, and run the canaries; 1 if one of them died."""
    import jax

    from seqexp.runs.manifest import PACKAGES, manifest
    from seqexp.training.canary import canaries
    from seqexp.training.start import start_jax

    if arguments:
        print("usage: seqexp doctor", file=sys.stderr)
        return 0 if arguments[0] in ("-h", "--help") else 2
    start_jax()
    kind = jax.local_devices()[0].device_kind
    facts = manifest(kind, {})
    print(f"seqexp {facts['version']}, Python {facts['python']}, {facts['platform']}")
    print(", ".join(f"{name} {facts['packages'][name]}" for name in PACKAGES))
    print(f"{len(jax.local_devices())} device(s): {kind}")
    dead = canaries()
    for line in dead:
        print(f"WRONG: {line}")
    if not dead:
        print("canaries: all alive")
    return int(bool(dead))
