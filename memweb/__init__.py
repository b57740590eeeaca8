"""memweb. This package imports nothing when it is imported itself."""

__version__ = "0.1.0"
