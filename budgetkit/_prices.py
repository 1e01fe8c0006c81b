"""The price book: what a model's tokens and a tool's calls cost."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Self

from ._price_file import Amount, ModelPrice, dollars, read_price_file
from ._price_table import PriceRow, table_quote, table_rows
from ._rates import Quote, Rates, nanodollars, yocto_per_request, yocto_per_token
from ._usage import Usage

__all__ = ["PriceBook", "PriceUnknown"]

_DAY = 86_400
_QUOTES_KEPT = 1024
_PREFIXED = re.compile(r"(?P<provider>[^/:]+)[/:](?P<model>.+)")


class PriceUnknown(LookupError):  # noqa: N818  # a state of the price book, named as people say it
    """No price is known for a model; unknown is not free.

    Attributes:
        model: The name that was asked for.
        provider: The provider that was asked for, if any.
    """

    def __init__(self, model: str, provider: str | None = None) -> None:
        super().__init__(model, provider)
        self.model = model
        self.provider = provider

    def __str__(self) -> str:
        seller = f" of provider {self.provider!r}" if self.provider else ""
        line = f'models.{json.dumps(self.model)} = {{ input = "0.10", output = "0.40" }}'
        return (
            f"no price for model {self.model!r}{seller}: put a line like {line} "
            "(dollars per million tokens) at the top of your price file"
        )


class PriceBook:
    """What models and tools cost: the user's own prices first, then the packaged table of `genai-prices`.

    Immutable and safe to share between threads. Amounts come out in whole nano-dollars, rounded up.

    A model of the user's is found by its exact name, then by its name without a provider prefix (`openai/gpt-4o` and
    `openai:gpt-4o` find `gpt-4o`). The table is asked with the provider where it is given; a provider that it does not
    know, such as a server of one's own, has no prices. It holds standard prices of text: for a dearer service tier,
    audio or images, give the model a price of its own. Where it names a model without a price, the price is unknown,
    not zero.

    Args:
        models: Prices by model name, which override the table.
        tools: Dollars per unit by tool name. A tool without a price is free.
        allow_unpriced: For others to read: whether a model without a price may be called under a dollar limit.

    Raises:
        ValueError: For a tool price that is negative, not finite, no number, or a float.

    Example:
        >>> prices = PriceBook(models={"m": ModelPrice(input="0.10", output="0.40")}, tools={"search": "0.001"})
        >>> prices.cost("m", Usage(input_tokens=1000, output_tokens=100))
        140000
        >>> prices.tool("search")
        1000000
    """

    __slots__ = ("_allow_unpriced", "_models", "_quotes", "_tools")

    def __init__(
        self,
        *,
        models: Mapping[str, ModelPrice] | None = None,
        tools: Mapping[str, Amount] | None = None,
        allow_unpriced: bool = False,
    ) -> None:
        self._models = dict(models or {})
        self._tools = {name: nanodollars(dollars(f"tools[{name!r}]", amount)) for name, amount in (tools or {}).items()}
        self._allow_unpriced = allow_unpriced
        self._quotes: dict[tuple[str, str | None, int], Quote | None] = {}

    @classmethod
    def from_toml(cls, path: str | PathLike[str], *, allow_unpriced: bool = False) -> Self:
        """Read the user's own prices from a file.

        ```toml
        [models."smollm2-135m"]      # dollars per million tokens
        input = "0.10"
        output = "0.40"
        cached_input = "0.01"        # optional, like cache_write and request (dollars per call)
        [tools]
        search = "0.001"             # dollars per unit
        ```

        Raises:
            OSError: If the file cannot be read.
            ValueError: If it is not such a file; with the file, the key, the value and the way to mend it.
        """
        models, tools = read_price_file(Path(path))
        return cls(models=models, tools=tools, allow_unpriced=allow_unpriced)

    @property
    def allow_unpriced(self) -> bool:
        """Whether a model without a price may be called under a dollar limit."""
        return self._allow_unpriced

    def cost(self, model: str, usage: Usage, *, provider: str | None = None) -> int:
        """What a call costs at the prices of now, in nano-dollars, rounded up.

        Raises:
            PriceUnknown: If neither the user nor the table has a price for `model`.
        """
        return self._quoted(model, provider).cost(usage)

    def worst(self, model: str, input_tokens: int, output_tokens: int, provider: str | None = None) -> int:
        """The most that a call with up to so many tokens can cost, in nano-dollars, rounded up.

        That is at the dearest price each token can have: uncached, or written to a cache where that is dearer (for
        Anthropic the cache of an hour), and at the dearest hour of the next day where the price depends on it.

        Raises:
            PriceUnknown: If neither the user nor the table has a price for `model`.
        """
        return self._quoted(model, provider).worst(input_tokens, output_tokens)

    def affordable_output(
        self, model: str, nanodollars: int, input_tokens: int, cap: int, provider: str | None = None
    ) -> int:
        """The most output tokens, up to `cap`, whose `worst` is within `nanodollars`; -1 if even none is too dear.

        Raises:
            PriceUnknown: If neither the user nor the table has a price for `model`.
        """
        return self._quoted(model, provider).affordable_output(nanodollars, input_tokens, cap)

    def tool(self, name: str) -> int:
        """What one unit of a tool costs, in nano-dollars; 0 for a tool that was given no price."""
        return self._tools.get(name, 0)

    def has(self, model: str, provider: str | None = None) -> bool:
        """Whether the model has a price."""
        return self._quote(model, provider) is not None

    def models(self) -> Iterator[PriceRow]:
        """All prices, the user's own first, in dollars per million tokens."""
        for name, price in self._models.items():
            yield PriceRow(name, None, price.input, price.cached_input, price.output)
        yield from table_rows()

    def _quoted(self, model: str, provider: str | None) -> Quote:
        quote = self._quote(model, provider)
        if quote is None:
            raise PriceUnknown(model, provider)
        return quote

    def _quote(self, model: str, provider: str | None) -> Quote | None:
        day = time.time_ns() // (_DAY * 10**9)
        key = (model, provider, day)
        try:
            return self._quotes[key]
        except KeyError:
            quote = self._look_up(model, provider, datetime.fromtimestamp(day * _DAY, tz=UTC))
        if len(self._quotes) >= _QUOTES_KEPT:
            self._quotes.clear()
        self._quotes[key] = quote
        return quote

    def _look_up(self, model: str, provider: str | None, day: datetime) -> Quote | None:
        prefixed = _PREFIXED.fullmatch(model)
        price = self._models.get(model) or (self._models.get(prefixed["model"]) if prefixed else None)
        if price is not None:
            return _own_quote(price)
        quote = table_quote(model, provider, day)
        if quote is None and prefixed:
            quote = table_quote(prefixed["model"], provider or prefixed["provider"], day)
        return quote


def _own_quote(price: ModelPrice) -> Quote:
    write, output = yocto_per_token(price.cache_write), yocto_per_token(price.output)
    rates = Rates(
        above=-1,
        input=yocto_per_token(price.input),
        cache_read=yocto_per_token(price.cached_input),
        cache_write=write,
        cache_write_1h=write,
        output=output,
        reasoning=output,
        request=yocto_per_request(price.request),
    )
    return Quote((rates,))
