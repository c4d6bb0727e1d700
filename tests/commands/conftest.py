"""What the tests of commands share."""

from tests.hasty import free, hasty

__all__ = ["free", "hasty"]
