"""What the tests of sweeps share."""

from tests.hasty import free, hasty

__all__ = ["free", "hasty"]
