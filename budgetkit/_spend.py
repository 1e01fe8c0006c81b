"""`Spend`: an immutable amount per resource, in which unknown is not zero."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Self, final

from ._resource import TOOL, Amount, check_units, from_units, refuse_built_in, resource, to_units

__all__ = ["Spend"]

_NONE: Final[frozenset[str]] = frozenset()


@final
class Spend(Mapping[str, Amount | None]):
    """How much of each resource was used; adds, compares, prints.

    ``spend["llm_calls"]`` is an ``int``, ``spend["usd"]`` and ``spend["seconds"]`` are ``Decimal``; a resource that was
    not touched is 0. An amount that could not be measured is None, not 0: once something measured is added to it, the
    number is what is known and the resource is listed in ``unmeasured`` (read it as "at least").

    Args:
        usd: US dollars; None if they could not be measured (also for the counts below).
        input_tokens: prompt tokens, cached ones included.
        output_tokens: completion tokens, reasoning included.
        total_tokens: input plus output.
        llm_calls: model calls, failed and repeated ones included.
        tool_calls: tool calls, in units.
        seconds: wall-clock time.
        tools: calls per tool, ``{"search": 2}``; each is the resource ``tool:search``.
        custom: any other resource by name.

    Raises:
        TypeError, ValueError: an amount is negative, NaN or of the wrong type; the message names the argument.
    """

    __slots__ = ("estimated", "names", "units", "unmeasured")

    names: tuple[str, ...]
    """The resources with a known amount above zero, sorted."""
    units: tuple[int, ...]
    """Their amounts in whole units (nano-dollars, milliseconds, counts), in the order of ``names``."""
    estimated: frozenset[str]
    """Resources whose amount holds an estimate: the provider did not say, so the reservation was kept."""
    unmeasured: frozenset[str]
    """Resources of which more was used than the number says, by an unknown amount."""

    def __init__(
        self,
        *,
        usd: object = 0,
        input_tokens: int | None = 0,
        output_tokens: int | None = 0,
        total_tokens: int | None = 0,
        llm_calls: int | None = 0,
        tool_calls: int | None = 0,
        seconds: object = 0,
        tools: Mapping[str, int | None] | None = None,
        custom: Mapping[str, int | None] | None = None,
    ) -> None:
        """See the class."""
        amounts: dict[str, object] = {
            "usd": usd,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "total_tokens": total_tokens,
            "llm_calls": llm_calls,
            "tool_calls": tool_calls,
            "seconds": seconds,
            **{TOOL + name: n for name, n in (tools or {}).items()},
            **refuse_built_in(custom or {}),
        }
        known = {name: to_units(name, amount) for name, amount in amounts.items() if amount is not None}
        self._fill(known, _NONE, frozenset(name for name, amount in amounts.items() if amount is None))

    @classmethod
    def of(cls, amounts: Mapping[str, object]) -> Self:
        """A spend from resource names, as `Spend` prints them: ``{"tool:search": 2, "usd": "0.1"}``."""
        known = {name: to_units(name, amount) for name, amount in amounts.items() if amount is not None}
        return cls.from_units(known, unmeasured=(n for n, amount in amounts.items() if amount is None))

    @classmethod
    def from_units(
        cls, units: Mapping[str, int], *, estimated: Iterable[str] = (), unmeasured: Iterable[str] = ()
    ) -> Self:
        """A spend from whole units, as the ledger counts them.

        Raises:
            ValueError: an amount that is not an integer of 0 or more.
        """
        check_units(units)
        made = cls.__new__(cls)
        made._fill(units, frozenset(estimated), frozenset(unmeasured))  # noqa: SLF001 - its own class
        return made

    def _fill(self, units: Mapping[str, int], estimated: frozenset[str], unmeasured: frozenset[str]) -> None:
        known = sorted((name, n) for name, n in units.items() if n)
        put = object.__setattr__
        put(self, "names", tuple(name for name, _ in known))
        put(self, "units", tuple(n for _, n in known))
        put(self, "estimated", estimated)
        put(self, "unmeasured", unmeasured)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Spend is immutable: make a new one instead of setting {name!r}")

    def __getitem__(self, name: str) -> Amount | None:
        for known, n in zip(self.names, self.units, strict=True):
            if known == name:
                return from_units(name, n)
        if name in self.unmeasured:
            return None
        try:
            resource(name)
        except ValueError as slip:
            raise KeyError(str(slip)) from None
        return from_units(name, 0)

    def in_units(self, name: str) -> int:
        """The known amount of one resource in whole units."""
        return self.units[self.names.index(name)] if name in self.names else 0

    def as_units(self) -> dict[str, int]:
        """All known amounts in whole units."""
        return dict(zip(self.names, self.units, strict=True))

    def __iter__(self) -> Iterator[str]:
        yield from self.names
        yield from sorted(self.unmeasured.difference(self.names))

    def __len__(self) -> int:
        return len(self.unmeasured.union(self.names))

    def __contains__(self, name: object) -> bool:
        return name in self.names or name in self.unmeasured

    def __add__(self, other: Spend) -> Spend:
        if not isinstance(other, Spend):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            return NotImplemented
        total = self.as_units()
        for name, n in zip(other.names, other.units, strict=True):
            total[name] = total.get(name, 0) + n
        return Spend.from_units(
            total,
            estimated=self.estimated | other.estimated,
            unmeasured=self.unmeasured | other.unmeasured,
        )

    def __le__(self, other: Spend) -> bool:
        """Whether no resource is used more than in ``other`` (a partial order)."""
        limits = other.as_units()
        return all(n <= limits.get(name, 0) for name, n in zip(self.names, self.units, strict=True))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spend) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return (self.names, self.units, self.estimated, self.unmeasured)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.as_units(), tuple(self.estimated), tuple(self.unmeasured)))

    def __repr__(self) -> str:
        return f"Spend({', '.join(f'{name}={self._shown(name)}' for name in self)})"

    def _shown(self, name: str) -> str:
        if name not in self.names:
            return "unknown"
        mark = "≥" if name in self.unmeasured else "~" if name in self.estimated else ""
        return f"{mark}{self[name]}"


def _rebuild(units: dict[str, int], estimated: tuple[str, ...], unmeasured: tuple[str, ...]) -> Spend:
    return Spend.from_units(units, estimated=estimated, unmeasured=unmeasured)
