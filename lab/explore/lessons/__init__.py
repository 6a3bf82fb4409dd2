"""The lessons as data: a file each with the steps, and for each language a folder with the texts.

`NAME.toml` says what a step asks for and what fulfils it, and has no word of any language. `en/NAME.toml` and
`zh/NAME.toml` have the words: to translate a lesson, copy one and put other sentences between the quotes. Words in
braces are filled in and stay as they are. `common.toml` has the sentences of all lessons; `why.toml` those that the
model explains itself with, which are English in the model.
"""

from __future__ import annotations

NAMES = ("three-way", "why-not-two", "four-way", "why-not-three", "half-close", "websocket", "layers")
"""In the order in which they are best taken."""

LANGUAGES = ("en", "zh")
