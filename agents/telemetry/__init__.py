"""What operators see of the engine at work: marks in the log, metrics, traces. What nobody asked for is not loaded."""
