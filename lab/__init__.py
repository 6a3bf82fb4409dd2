"""Open and close TCP connections by hand, on a real wire, and prove what came back."""

__version__ = "0.1.0"
