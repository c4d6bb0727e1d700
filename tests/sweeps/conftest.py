"""What the tests of sweeps share."""

from tests.hasty import hasty

__all__ = ["hasty"]
