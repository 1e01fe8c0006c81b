"""The user's own prices: one model's price, and the TOML file that holds them."""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, cast

__all__ = ["Amount", "ModelPrice", "PriceFile", "dollars", "read_price_file"]

Amount = str | int | Decimal
"""An exact amount of dollars; never a float."""

_PER_MODEL = ("input", "cached_input", "cache_write", "output", "request")


@dataclass(frozen=True, slots=True, init=False)
class ModelPrice:
    """What one model bills, in dollars per million tokens; `request` in dollars per call.

    Args:
        input: Price of a prompt token that is neither read from nor written to a cache.
        output: Price of a generated token, reasoning included.
        cached_input: Price of a prompt token that came from a cache; default: `input`.
        cache_write: Price of a prompt token that is written to a cache; default: `input`.
        request: Price of a call as such.

    Raises:
        ValueError: For an amount that is negative, not finite, no number, or a float, which is not exact.

    Example:
        >>> ModelPrice(input="0.10", cached_input="0.01", output="0.40").cache_write
        Decimal('0.10')
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal
    cache_write: Decimal
    request: Decimal

    def __init__(
        self,
        *,
        input: Amount,  # noqa: A002  # the name that every price list uses
        output: Amount,
        cached_input: Amount | None = None,
        cache_write: Amount | None = None,
        request: Amount = 0,
    ) -> None:
        given = {
            "input": input,
            "output": output,
            "cached_input": input if cached_input is None else cached_input,
            "cache_write": input if cache_write is None else cache_write,
            "request": request,
        }
        for name, amount in given.items():
            object.__setattr__(self, name, dollars(name, amount))


class PriceFile(NamedTuple):
    """What a price file says: prices of models, and dollars per unit of tools."""

    models: dict[str, ModelPrice]
    tools: dict[str, Decimal]


def dollars(name: str, amount: object) -> Decimal:
    """An amount of dollars as an exact decimal.

    Raises:
        ValueError: For an amount that is negative, not finite, no number, or a float; names `name`.
    """
    if isinstance(amount, float):
        raise ValueError(f'{name} must be exact, not the float {amount!r}: write {name}="{amount!r}"')  # noqa: TRY004  # one kind for users
    if isinstance(amount, bool) or not isinstance(amount, Amount):
        raise ValueError(f'{name} must be dollars like "0.10", not {amount!r}')  # noqa: TRY004  # one kind for users
    try:
        value = Decimal(amount)
    except InvalidOperation:
        raise ValueError(f'{name} must be dollars like "0.10", not {amount!r}') from None
    if not value.is_finite() or value < 0:
        shown = amount if isinstance(amount, Decimal) else repr(amount)
        raise ValueError(f"{name} must be finite and not negative, not {shown}")
    return value


def read_price_file(path: Path) -> PriceFile:
    """Read a TOML file with the tables `[models."NAME"]` and `[tools]`.

    Raises:
        OSError: If the file cannot be read.
        ValueError: For anything else that is wrong, with the file, the key and the way to mend it.
    """
    try:
        # Decimals straight from the text: a price without quotes is exact as well.
        content = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        _refuse_unknown("", content, ("models", "tools"))
        models = {
            name: _model_price(name, entry) for name, entry in _table("models", content.get("models", {})).items()
        }
        tools = {
            name: dollars(_key("tools", name), amount)
            for name, amount in _table("tools", content.get("tools", {})).items()
        }
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return PriceFile(models, tools)


def _model_price(name: str, entry: object) -> ModelPrice:
    where = _key("models", name)
    table = _table(where, entry)
    _refuse_unknown(f"{where}.", table, _PER_MODEL)
    for needed in ("input", "output"):
        if needed not in table:
            raise ValueError(f'{where} needs {needed}: write {needed} = "0.10", in dollars per million tokens')
    return ModelPrice(**{key: dollars(f"{where}.{key}", amount) for key, amount in table.items()})


def _table(where: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be a table, not {value!r}")  # noqa: TRY004  # one kind for users
    return cast("Mapping[str, Any]", value)


def _refuse_unknown(where: str, given: Collection[str], known: Collection[str]) -> None:
    for key in given:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise ValueError(f"{where}{key} is unknown; {hint}")


def _key(table: str, name: str) -> str:
    return f'{table}."{name}"'
