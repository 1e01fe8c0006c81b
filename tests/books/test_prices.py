"""The price book: exact, rounded up, never silently free."""

import copy
import pickle
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from genai_prices import Usage as TableUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from budgetkit._price_file import ModelPrice
from budgetkit._price_table import table_quote
from budgetkit._prices import PriceBook, PriceUnknown
from budgetkit._rates import nanodollars
from budgetkit._usage import Usage

# Flat, cached, tiered, tiered with cache writes of two lives, by date, by the hour, with a price per call.
REAL_MODELS = [
    ("gpt-4o", "openai"),
    ("gpt-5", "openai"),
    ("gemini-2.5-pro", "google"),
    ("claude-sonnet-4-5", "anthropic"),
    ("claude-haiku-4-5", "anthropic"),
    ("google/gemini-2.5-pro", "openrouter"),
    ("deepseek-chat", "deepseek"),
    ("deepseek-v4-pro", "deepseek"),
    ("sonar", "perplexity"),
    ("text-embedding-3-small", "openai"),
]
moments = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31)).map(lambda naive: naive.replace(tzinfo=UTC))  # noqa: DTZ001  # made aware at once
sizes = st.integers(0, 1_000_000) | st.sampled_from([100_000, 199_999, 200_000, 200_001, 272_000, 272_001])


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    prompt, completion = draw(sizes), draw(sizes)
    read = draw(st.integers(0, prompt))
    write = draw(st.integers(0, prompt - read))
    return Usage(
        input_tokens=prompt,
        output_tokens=completion,
        cache_read=read,
        cache_write=write,
        cache_write_1h=draw(st.integers(0, write)),
        reasoning=draw(st.integers(0, completion)),
    )


def price_by_the_table(model: str, provider: str, usage: Usage, at: datetime) -> int:
    """The oracle: what the price library itself works out."""
    tokens = TableUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
        cache_write_1h_tokens=usage.cache_write_1h,
        output_reasoning_tokens=usage.reasoning,
    )
    with localcontext(prec=80):
        price = calc_price(tokens, model, provider_id=provider, genai_request_timestamp=at)
        return nanodollars(price.total_price)


def midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def own_book(**price: Any) -> PriceBook:
    return PriceBook(models={"m": ModelPrice(**{"input": "0.10", "output": "0.40", **price})})


@pytest.mark.parametrize(("model", "provider"), REAL_MODELS)
@given(usage=usages(), moment=moments)
def test_a_cost_is_the_one_of_the_price_library_to_the_nanodollar(
    model: str, provider: str, usage: Usage, moment: datetime
) -> None:
    quote = table_quote(model, provider, midnight(moment))
    assert quote is not None
    assert price_by_the_table(model, provider, usage, moment) == quote.cost(usage, moment)


def test_every_model_of_the_table_costs_what_the_library_says() -> None:
    usage = Usage(
        input_tokens=250_007, output_tokens=1_003, cache_read=101, cache_write=53, cache_write_1h=20, reasoning=7
    )
    now = datetime.now(tz=UTC)
    differing: list[tuple[str, str | None]] = []
    for row in PriceBook().models():
        quote = table_quote(row.model, row.provider, midnight(now))
        if quote and row.provider:
            expected = price_by_the_table(row.model, row.provider, usage, now)
            differing += [(row.model, row.provider)] if quote.cost(usage, now) != expected else []
    assert differing == []


@pytest.mark.parametrize(("model", "provider"), REAL_MODELS)
@given(usage=usages(), span=st.tuples(moments, st.integers(0, 24 * 3600)), more=st.tuples(sizes, sizes))
def test_no_call_costs_more_than_its_worst_case(
    model: str, provider: str, usage: Usage, span: tuple[datetime, int], more: tuple[int, int]
) -> None:
    """A call of at most so many tokens, ending within a day of the reservation, at whatever hour."""
    moment, wait = span
    later = moment + timedelta(seconds=wait)
    quote = table_quote(model, provider, midnight(moment))
    then = table_quote(model, provider, midnight(later))
    assert quote is not None
    assert then is not None
    worst = quote.worst(usage.input_tokens + more[0], usage.output_tokens + more[1])
    assert then.cost(usage, later) <= worst


@pytest.mark.parametrize(("model", "provider"), REAL_MODELS)
@given(money=st.integers(-10, 3_000_000), input_tokens=st.integers(0, 400), cap=st.integers(0, 120))
def test_the_affordable_output_is_what_trying_all_of_them_finds(
    model: str, provider: str, money: int, input_tokens: int, cap: int
) -> None:
    prices = PriceBook()
    fitting = [n for n in range(cap + 1) if prices.worst(model, input_tokens, n, provider) <= money]
    assert max(fitting, default=-1) == prices.affordable_output(model, money, input_tokens, cap, provider)


@given(
    rates=st.tuples(*[st.decimals(0, 50, places=6)] * 5),
    money=st.integers(0, 10**9),
    input_tokens=st.integers(0, 10**6),
    cap=st.integers(0, 10**6),
)
def test_the_affordable_output_fits_and_one_more_does_not(
    rates: tuple[Decimal, ...], money: int, input_tokens: int, cap: int
) -> None:
    prices = PriceBook(models={"m": ModelPrice(**dict(zip(ModelPrice.__slots__, rates, strict=True)))})
    most = prices.affordable_output("m", money, input_tokens, cap)
    assert most < 0 or prices.worst("m", input_tokens, most) <= money
    assert most == cap or prices.worst("m", input_tokens, most + 1) > money


def test_a_tier_of_the_table_bills_the_whole_call() -> None:
    prices = PriceBook()
    below = prices.cost("gemini-2.5-pro", Usage(input_tokens=200_000, output_tokens=0), provider="google")
    above = prices.cost("gemini-2.5-pro", Usage(input_tokens=200_001, output_tokens=0), provider="google")
    assert (below, above) == (250_000_000, 500_002_500)


def test_the_worst_case_of_the_eve_of_a_price_rise_is_the_new_price() -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=0)
    eve, day = (table_quote("mistral-medium-latest", "mistral", datetime(2026, 6, n, tzinfo=UTC)) for n in (15, 16))
    assert eve
    assert day
    assert eve.cost(usage) < day.cost(usage) == eve.worst(1_000_000, 0)


def test_the_worst_case_takes_the_dearest_kind_of_input() -> None:
    prices = own_book(cached_input="0.01", cache_write="0.125")
    assert prices.worst("m", 1_000_000, 1_000_000) == 525_000_000
    assert own_book(cache_write="0.05").worst("m", 1_000_000, 0) == 100_000_000


def test_a_price_of_the_users_own_bills_each_kind_of_token() -> None:
    prices = own_book(cached_input="0.01", cache_write="0.125", request="0.000002")
    usage = Usage(input_tokens=1000, output_tokens=10, cache_read=500, cache_write=300, reasoning=10)
    assert prices.cost("m", usage) == 20_000 + 5_000 + 37_500 + 4_000 + 2_000


def test_cached_input_without_a_price_of_its_own_costs_as_much_as_any() -> None:
    usage = Usage(input_tokens=1000, output_tokens=0, cache_read=500, cache_write=500)
    assert own_book().cost("m", usage) == 100_000


def test_a_fraction_of_a_nanodollar_is_rounded_up() -> None:
    prices = own_book(input="0.0001", output="0")
    assert [prices.cost("m", Usage(input_tokens=n, output_tokens=0)) for n in (0, 1, 10, 11)] == [0, 1, 1, 2]


def test_a_price_finer_than_the_grid_is_rounded_up_not_dropped() -> None:
    prices = own_book(input="1e-30", output="0")
    assert prices.cost("m", Usage(input_tokens=1, output_tokens=0)) == 1


@pytest.mark.parametrize("name", ["m", "openai/m", "openai:m"])
def test_a_price_of_the_users_own_is_found_without_the_provider_prefix(name: str) -> None:
    assert own_book().cost(name, Usage(input_tokens=10, output_tokens=0)) == 1000


def test_an_exact_name_goes_before_the_name_without_its_prefix() -> None:
    prices = PriceBook(
        models={"m": ModelPrice(input=1, output=1), "azure/m": ModelPrice(input=2, output=2)},
    )
    assert prices.cost("azure/m", Usage(input_tokens=1, output_tokens=0)) == 2000


def test_a_price_of_the_users_own_goes_before_the_table() -> None:
    prices = PriceBook(models={"gpt-4o": ModelPrice(input=0, output=0)})
    assert prices.cost("gpt-4o", Usage(input_tokens=10**6, output_tokens=0), provider="openai") == 0


@pytest.mark.parametrize("name", ["openai/gpt-4o", "openai:gpt-4o", "gpt-4o"])
def test_the_table_is_searched_without_the_provider_prefix_too(name: str) -> None:
    usage = Usage(input_tokens=1000, output_tokens=100, cache_read=400)
    assert PriceBook().cost(name, usage) == 3_000_000


def test_a_model_without_a_price_is_named_with_the_line_that_gives_it_one() -> None:
    with pytest.raises(PriceUnknown) as caught:
        PriceBook().cost("smollm2-135m", Usage(input_tokens=1, output_tokens=1))
    assert str(caught.value) == (
        "no price for model 'smollm2-135m': put a line like "
        'models."smollm2-135m" = { input = "0.10", output = "0.40" } '
        "(dollars per million tokens) at the top of your price file"
    )
    assert (caught.value.model, caught.value.provider) == ("smollm2-135m", None)


def test_the_line_that_an_unpriced_model_is_given_works(tmp_path: Path) -> None:
    name = 'odd "name"'
    line = re.search(r"models\..*}", str(PriceUnknown(name)))
    assert line
    path = tmp_path / "prices.toml"
    path.write_text(f'{line[0]}\n[models."other"]\ninput = "1"\noutput = "1"\n')
    assert PriceBook.from_toml(path).has(name)


@pytest.mark.parametrize(("model", "provider"), [("gpt-4o", "vllm"), ("gpt-4o", "google"), ("", None)])
def test_a_model_that_its_provider_does_not_sell_has_no_price(model: str, provider: str | None) -> None:
    prices = PriceBook()
    assert not prices.has(model, provider)
    with pytest.raises(PriceUnknown, match=re.escape(f"no price for model {model!r}")):
        prices.worst(model, 1, 1, provider)
    with pytest.raises(PriceUnknown):
        prices.affordable_output(model, 1, 1, 1, provider)


def test_a_model_that_the_table_names_without_a_price_is_not_free() -> None:
    assert calc_price({}, "gpt-4o", provider_id="github-copilot").total_price == 0
    assert not PriceBook().has("gpt-4o", "github-copilot")


def test_an_unknown_price_keeps_its_attributes_when_it_is_pickled() -> None:
    error = pickle.loads(pickle.dumps(PriceUnknown("m", "p")))  # noqa: S301  # our own bytes
    assert (error.model, error.provider, str(error)) == ("m", "p", str(PriceUnknown("m", "p")))


def test_a_tool_is_free_unless_it_has_a_price() -> None:
    prices = PriceBook(tools={"search": "0.001", "rare": "0.0000000001"})
    assert [prices.tool(name) for name in ("search", "rare", "other")] == [1_000_000, 1, 0]


def test_leave_to_call_unpriced_models_is_off_unless_given() -> None:
    assert PriceBook().allow_unpriced is False
    assert PriceBook(allow_unpriced=True).allow_unpriced is True


def test_a_book_cannot_be_changed_through_what_it_was_made_of() -> None:
    given_models = {"m": ModelPrice(input=1, output=1)}
    prices = PriceBook(models=given_models)
    given_models.clear()
    assert prices.has("m")
    with pytest.raises(AttributeError):
        prices.allow_unpriced = True  # type: ignore[misc]  # the refusal is what is tested


def test_a_book_survives_copying_and_pickling_with_warm_caches() -> None:
    prices = PriceBook(models={"m": ModelPrice(input=1, output=1)}, tools={"t": 1})
    usage = Usage(input_tokens=5, output_tokens=5)
    names = ["m", "gemini-2.5-pro", "deepseek-v4-pro"]
    costs = [prices.cost(name, usage) for name in names]
    for twin in (copy.deepcopy(prices), pickle.loads(pickle.dumps(prices))):  # noqa: S301  # our own bytes
        assert [twin.cost(name, usage) for name in names] == costs
        assert twin.tool("t") == 10**9


def test_the_cache_of_prices_is_bounded() -> None:
    prices = PriceBook()
    for number in range(1100):
        prices.has(f"m{number}", "nobody")
    assert len(prices._quotes) <= 1024  # pyright: ignore[reportPrivateUsage]  # no public view


def test_the_listing_shows_the_users_own_prices_first() -> None:
    rows = iter(own_book(cached_input="0.01").models())
    assert tuple(next(rows)) == ("m", None, Decimal("0.10"), Decimal("0.01"), Decimal("0.40"))
    table = {(row.provider, row.model): row for row in rows}
    assert tuple(table["google", "gemini-2.5-pro"])[2:] == (Decimal("1.25"), Decimal("0.125"), Decimal(10))
    assert table["openai", "text-embedding-3-small"].output is None


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (0.1, 'input must be exact, not the float 0.1: write input="0.1"'),
        ("free", "input must be dollars like \"0.10\", not 'free'"),
        (True, 'input must be dollars like "0.10", not True'),
        (None, 'input must be dollars like "0.10", not None'),
        ("-1", "input must be finite and not negative, not '-1'"),
        ("NaN", "input must be finite and not negative, not 'NaN'"),
        ("sNaN", "input must be finite and not negative, not 'sNaN'"),
        (Decimal("Infinity"), "input must be finite and not negative, not Infinity"),
    ],
)
def test_an_amount_that_is_not_exact_dollars_is_refused(bad: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ModelPrice(input=bad, output="1")


def test_a_tool_price_that_is_not_exact_dollars_is_refused() -> None:
    message = "tools['search'] must be finite and not negative, not -1"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        PriceBook(tools={"search": -1})


PRICES = """
[models."smollm2-135m"]
input = "0.10"
cached_input = 0.01
output = "0.40"
request = 0
[tools]
search = "0.001"
"""


def test_a_price_file_is_read_exactly_with_and_without_quotes(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(PRICES)
    prices = PriceBook.from_toml(path, allow_unpriced=True)
    usage = Usage(input_tokens=2_000_000, output_tokens=1_000_000, cache_read=1_000_000)
    assert prices.cost("smollm2-135m", usage) == 510_000_000
    assert prices.tool("search") == 1_000_000
    assert prices.allow_unpriced


def test_an_empty_price_file_is_an_empty_book(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text("")
    assert not PriceBook.from_toml(path).has("m", "nobody")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modells = 1", "modells is unknown; did you mean models?"),
        ("x = 1", "x is unknown; known are models, tools"),
        ('models = "m"', "models must be a table, not 'm'"),
        ('[models]\nm = "0.1"', "models.\"m\" must be a table, not '0.1'"),
        ("tools = [1]", "tools must be a table, not [1]"),
        (
            '[models.m]\ninput = "1"\noutputs = "1"',
            'models."m".outputs is unknown; did you mean output?',
        ),
        (
            '[models.m]\ninput = "1"\n',
            'models."m" needs output: write output = "0.10", in dollars per million tokens',
        ),
        (
            '[models.m]\ninput = "free"\noutput = "1"',
            'models."m".input must be dollars like "0.10", not \'free\'',
        ),
        (
            "[models.m]\ninput = nan\noutput = 1",
            'models."m".input must be finite and not negative, not NaN',
        ),
        ("[tools]\nsearch = -0.1", 'tools."search" must be finite and not negative, not -0.1'),
        ("[tools", "Expected ']' at the end of a table declaration (at end of document)"),
    ],
)
def test_a_broken_price_file_is_refused_with_file_key_and_fix(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}: {message}')}$"):
        PriceBook.from_toml(path)


def test_a_price_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.toml"):
        PriceBook.from_toml(tmp_path / "none.toml")
