"""The packaged price table of `genai-prices`: read offline, compiled to integers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from ._rates import Condition, Quote, Rates, yocto_per_request, yocto_per_token

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices, TimeOfDateConstraint
    from typing_extensions import TypeIs

__all__ = ["PriceRow", "table_quote", "table_rows"]


class _Day(NamedTuple):
    by_the_hour: "list[tuple[Condition, ModelPrice]]"
    otherwise: "ModelPrice"

    def all(self) -> "list[ModelPrice]":
        return [self.otherwise, *(prices for _, prices in self.by_the_hour)]


class PriceRow(NamedTuple):
    """One line of a price listing, in dollars per million tokens; `None` where no such price is known.

    The price of a model with tiers is that of its first tier.
    """

    model: str
    provider: str | None
    input: Decimal | None
    cached_input: Decimal | None
    output: Decimal | None


def table_quote(model: str, provider: str | None, day: datetime) -> Quote | None:
    """What the table says about a model on the UTC day that begins at `day`.

    The dearest case covers that day and the next one, so that a call across midnight is covered too.

    Returns:
        The quote, or `None` where the table does not know the model or gives neither an input nor an output price.
    """
    info = _find(model, provider)
    if info is None:
        return None
    today, tomorrow = _on(info, day), _on(info, day + timedelta(days=1))
    if not all(_is_priced(prices) for prices in (*today.all(), *tomorrow.all())):
        return None
    return Quote(
        tiers=_tiers(today.otherwise),
        by_the_hour=tuple((condition, _tiers(prices)) for condition, prices in today.by_the_hour),
        later=tuple(_tiers(prices) for prices in tomorrow.all()),
    )


def table_rows() -> Iterator[PriceRow]:
    """Every model of the table that has a price, at its price of now."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415  # a table of megabytes, on first use

    now = datetime.now(tz=UTC)
    for provider in get_snapshot().providers:
        for info in provider.models:
            prices = info.get_prices(now)
            if _is_priced(prices):
                kinds = (prices.input_mtok, prices.cache_read_mtok, prices.output_mtok)
                yield PriceRow(info.id, provider.id, *(_in_tier(price, -1) for price in kinds))


def _find(model: str, provider: str | None) -> "ModelInfo | None":
    from genai_prices import calc_price  # noqa: PLC0415  # a table of megabytes, on first use

    try:
        return calc_price({}, model, provider_id=provider).model
    except LookupError:
        return None


def _on(info: "ModelInfo", day: datetime) -> _Day:
    """The prices that can be in force on `day`, by the same rule as the table's own `get_prices`."""
    if not isinstance(info.prices, list):
        return _Day([], info.prices)
    by_the_hour: list[tuple[Condition, ModelPrice]] = []
    for entry in reversed(info.prices):
        if _changes_in_a_day(entry.constraint):
            by_the_hour.append((entry.constraint.active, entry.prices))
        elif entry.constraint is None or entry.constraint.active(day):
            return _Day(by_the_hour, entry.prices)
    return _Day(by_the_hour, info.prices[0].prices)


def _changes_in_a_day(constraint: object) -> "TypeIs[TimeOfDateConstraint]":
    from genai_prices.types import TimeOfDateConstraint  # noqa: PLC0415  # a table of megabytes, on first use

    return isinstance(constraint, TimeOfDateConstraint)


def _is_priced(prices: "ModelPrice") -> bool:
    return prices.input_mtok is not None or prices.output_mtok is not None


def _tiers(prices: "ModelPrice") -> tuple[Rates, ...]:
    starts = {tier.start for price in vars(prices).values() for tier in getattr(price, "tiers", ())}
    return tuple(_rates(prices, above) for above in sorted({-1, *starts}))


def _rates(prices: "ModelPrice", above: int) -> Rates:
    def per_token(price: "Decimal | TieredPrices | None", otherwise: int) -> int:
        dollars = _in_tier(price, above)
        return otherwise if dollars is None else yocto_per_token(dollars)

    plain = per_token(prices.input_mtok, 0)
    write = per_token(prices.cache_write_mtok, plain)
    output = per_token(prices.output_mtok, 0)
    per_thousand_calls = _in_tier(prices.requests_kcount, above) or Decimal(0)
    return Rates(
        above=above,
        input=plain,
        cache_read=per_token(prices.cache_read_mtok, plain),
        cache_write=write,
        cache_write_1h=per_token(prices.cache_write_1h_mtok, write),
        output=output,
        reasoning=per_token(prices.output_reasoning_mtok, output),
        request=-(-yocto_per_request(per_thousand_calls) // 1000),
    )


def _in_tier(price: "Decimal | TieredPrices | None", above: int) -> Decimal | None:
    """The price of calls with more than `above` input tokens, up to the next tier."""
    if price is None or isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if tier.start <= above]
    return reached[-1] if reached else price.base
