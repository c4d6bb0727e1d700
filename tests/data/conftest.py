"""What the tests of data share."""

from tests.data_server import cache, server

__all__ = ["cache", "server"]
