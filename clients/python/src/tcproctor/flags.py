# SPDX-License-Identifier: Apache-2.0
"""The nine control bits of the TCP header."""
from __future__ import annotations

import enum
from typing import Self


class Flags(enum.IntFlag):
    """RFC 9293 §3.1, RFC 3168; AE is bit 7 of the reserved field, once NS."""

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10
    URG = 0x20
    ECE = 0x40
    CWR = 0x80
    AE = 0x100

    @classmethod
    def parse(cls, text: str | int) -> Self:
        """ "SYN,ACK", or letters as in a capture: "S." with S F R P U E W A, and "." for ACK; "-" is none.

        ValueError names what is unknown.
        """
        if isinstance(text, int):
            return cls(text)
        value = cls(0)
        if text in ("", "-"):
            return value
        words = text.split(",") if text.strip(",") in cls.__members__ or "," in text else list(text)
        for word in words:
            name = _LETTERS.get(word, word.strip().upper())
            if name not in cls.__members__:
                raise ValueError(f"flags {text!r}: no flag {word!r}; want letters of "
                                 f"{''.join(_LETTERS)} or names as SYN,ACK")
            value |= cls[name]
        return value

    def letters(self) -> str:
        return "".join(letter for letter, name in _LETTERS.items() if self & Flags[name]) or "-"

    def names(self) -> str:
        return ",".join(name for name in _LETTERS.values() if self & Flags[name])


#: In the order in which they are printed; the dot comes last.
_LETTERS = {"S": "SYN", "F": "FIN", "R": "RST", "P": "PSH", "U": "URG", "E": "ECE", "W": "CWR", "A": "AE", ".": "ACK"}
