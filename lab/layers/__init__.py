"""Every packet by its layers: OSI's seven beside TCP/IP's four, and which octets belong to which header."""

from __future__ import annotations

from lab.layers.dissect import Dissection, dissect, dissect_run
from lab.layers.parts import Field, Layer

__all__ = ["Dissection", "Field", "Layer", "dissect", "dissect_run"]
