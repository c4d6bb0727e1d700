"""Published equations in NumPy and float64: slow, a sequence at a time, and from the papers."""
