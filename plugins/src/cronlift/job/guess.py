"""Values that stand for any value, for rendering a manifest before there is a run.

A guess prints as a word, can be called, indexed, compared and looped over, and gives another guess each time.
"""

from collections.abc import Iterator
from typing import Any

from jinja2 import Undefined

GUESS = "cronlift-guess"
# What connections and variables print: the only values that may fill a Secret.
SECRET_GUESS = f"{GUESS}-secret"
# The Job's name, which a test of names must tell from other guesses.
JOB_NAME_GUESS = f"{GUESS}-job"


def is_guessed(value: Any) -> bool:
    """Tell whether a guess is part of a value, whatever filters have made of its case."""
    return GUESS in str(value).lower()


def is_guessed_secret(value: Any) -> bool:
    """Tell whether a connection or a variable is part of a value."""
    return SECRET_GUESS in str(value).lower()


def other_word(word: str) -> str:
    """Return another word for a guess; it begins and ends otherwise, for what is cut out of it, and is a guess too."""
    return f"x-{word}-x"


class Guess(Undefined):
    """Any value, true and equal to everything.

    An Undefined refuses every operation, which mypy takes for a promise; a guess breaks it on purpose.
    """

    __slots__ = ()
    _word = GUESS
    _truth = True

    def __str__(self) -> str:
        return self._word

    def __call__(self, *_: Any, **__: Any) -> "Guess":  # type: ignore[override]  # noqa: D102 - a magic method
        return self

    def __getattr__(self, name: str) -> "Guess":
        # The last two are the sandbox's marks of what it must not call.
        if name.startswith("__") or name in ("unsafe_callable", "alters_data"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _: Any) -> "Guess":  # type: ignore[override]
        return self

    def __iter__(self) -> Iterator["Guess"]:
        yield self

    def __len__(self) -> int:
        return 1

    def __bool__(self) -> bool:
        return self._truth

    def __int__(self) -> int:  # type: ignore[override]
        return 1

    def __float__(self) -> float:  # type: ignore[override]
        return 1.0

    def _operate(self, *_: Any) -> "Guess":
        return self

    def _compare(self, _: Any) -> bool:
        return self._truth

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _operate  # type: ignore[assignment]
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __pos__ = _operate  # type: ignore[assignment]
    __lt__ = __le__ = __gt__ = __ge__ = _compare  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self._truth

    def __ne__(self, other: object) -> bool:
        return not self._truth

    def __hash__(self) -> int:
        return hash(GUESS)


class SecretGuess(Guess):
    """What a connection or a variable holds."""

    __slots__ = ()
    _word = SECRET_GUESS


class OtherGuess(Guess):
    """Any value, true as a guess is, but in other words: what changes with it was made out of a guess."""

    __slots__ = ()
    _word = other_word(GUESS)

    def __int__(self) -> int:  # type: ignore[override]
        return 7

    def __float__(self) -> float:  # type: ignore[override]
        return 7.5


class OtherSecretGuess(OtherGuess):
    """What a connection or a variable holds, in those words."""

    __slots__ = ()
    _word = other_word(SECRET_GUESS)


class FalseGuess(Guess):
    """Any value, false and equal to nothing: for the branches that a true one does not take."""

    __slots__ = ()
    _truth = False


class FalseSecretGuess(FalseGuess):
    """What a connection or a variable holds, in those branches."""

    __slots__ = ()
    _word = SECRET_GUESS
