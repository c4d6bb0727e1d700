"""What the tests of commands share."""

from tests.hasty import hasty

__all__ = ["hasty"]
