"""Operations of a compiled formula; :mod:`programs` writes them, :mod:`kernel` runs them."""

from __future__ import annotations

(ADD, SUBTRACT, MULTIPLY, DIVIDE, NEGATIVE, ABSOLUTE, MINIMUM, MAXIMUM, LESS, AT_MOST, GREATER,
 AT_LEAST, EQUAL, UNEQUAL, UNEQUAL_EXACT, AND, OR, NOT, CHOOSE, IF_POSITIVE, IF_NONZERO,
 IF_FINITE) = range(22)  # fmt: skip
