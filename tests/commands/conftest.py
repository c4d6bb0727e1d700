"""What the tests of commands share."""

from tests.data_server import cache, server
from tests.hasty import free, hasty

__all__ = ["cache", "free", "hasty", "server"]
