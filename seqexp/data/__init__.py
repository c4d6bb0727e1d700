"""Where examples come from: files that are fetched and verified, and streams of batches."""
