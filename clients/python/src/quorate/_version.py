"""The version of this package, which is that of the coordinators that it is made with."""

__version__ = "0.1.0"
