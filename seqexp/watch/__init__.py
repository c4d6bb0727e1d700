"""A page that follows a sweep while it trains, from its records alone. Never writes."""

from seqexp.watch.server import open_server as open_server
