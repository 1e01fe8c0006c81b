"""The proof in words: what bounds each place, what is taken for granted, and what may go over all the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from budgetkit import Amount, Spend

from ._certify_amounts import FREE, Cost
from ._certify_steps import Gated, Held, Step, loose_cost

if TYPE_CHECKING:
    from budgetkit import Budget

    from ._certify_sum import Sum

__all__ = ["assumptions", "caveats", "proof", "shown", "source"]


def shown(resource: str, units: int) -> Amount:
    """An amount as the budget writes it."""
    amount = Spend.from_units({resource: units})[resource]
    return amount if amount is not None else units


def source(total: Sum, resource: str) -> str:
    """What bounds a resource that is bounded."""
    if total.worst(resource) == 0:
        return "nothing spends it"
    limit, held, loose = total.limits.get(resource), total.held(resource), total.loose(resource)
    parts: list[str] = []
    if held and limit is not None and held >= limit:
        parts.append("the budget's limit")
        if held > limit:
            parts.append(f"{shown(resource, held - limit)} that nodes on `budgeted` may be over it")
    elif held:
        names = dict.fromkeys(holder.name for holder in total.holders().values())
        parts.append(f"what {', '.join(names)} can let through")
    if loose:
        parts.append(f"{shown(resource, loose)} that only the graph's structure bounds")
    return ", and ".join(parts)


def proof(steps: Sequence[Step], budget: Budget) -> Iterator[str]:
    """What bounds each place; places that are bounded alike in one line."""
    alike: dict[str, list[str]] = {}
    for step in steps:
        if (why := _why(step, tuple(budget.limits))) is not None:
            alike.setdefault(why, []).append(step.path)
    for why, paths in alike.items():
        yield f"{', '.join(dict.fromkeys(paths))}: {why}"
    if any(isinstance(step, Held) and step.calls == "model" for step in steps):
        yield _reserve(budget)


def _why(step: Step, limited: Sequence[str]) -> str | None:
    """What bounds a step; None if nothing does, for one of the resources that are limited."""
    if isinstance(step, Held):
        what = "its prompt and its output cap are" if step.calls == "model" else "its units are"
        return f"held by {step.holder.name}: before each {step.calls} call {what} set aside, or the call is refused"
    if isinstance(step, Gated):
        aside = ", ".join(f"{name}={shown(name, n)}" for name, n in step.aside.items())
        each = ", ".join(_known(loose_cost(step.inside), limited)) or "nothing that is not held inside"
        return f"held by `budgeted`, which sets {aside} aside for each execution; one execution costs {each}"
    if step.cost == FREE:
        return "calls no model and no tool, as declared" if step.why == "declared" else step.why
    if any(step.most(resource) is None for resource in limited):
        return None
    return f"{step.why}: {', '.join(_known(step.cost, limited)) or 'nothing'} each time, {step.count.why}"


def _known(cost: Cost, limited: Sequence[str]) -> list[str]:
    """A cost in words, as far as it is known and asked about."""
    each = {name: cost.of(name) for name in limited}
    return [f"{name}={shown(name, n)}" for name, n in each.items() if n]


def _reserve(budget: Budget) -> str:
    given = budget.answer_reserve
    kept = "the final call's own worst case" if given is None else ", ".join(f"{n}={given[n]}" for n in given)
    return f"the answer: {kept} is kept aside for it, within the limits"


def assumptions(total: Sum, free: Iterable[str], at_most: Mapping[str, Budget]) -> Iterator[str]:
    """What the proof takes for granted."""
    if total.alone_holds():
        yield "one run of the graph from its start to its end, interrupts included, with or without an open scope"
    else:
        yield (
            "one run of the graph inside of `with budget.open(): ...`: its plug-ins share this budget only there, and "
            "outside each has an account of its own"
        )
    if any(total.loose(resource) for resource in total.resources()):
        yield (
            "what only the structure bounds holds for one invocation, with no higher recursion limit given to it: "
            "after an interrupt the recursion limit and the run limits of LangChain's middleware begin anew"
        )
    if free := list(free):
        yield f"you say that these call no model and no tool, and go only where their edges lead: {', '.join(free)}"
    for name, most in at_most.items():
        costs = ", ".join(f"{resource}={amount}" for resource, amount in most.limits.items())
        yield f"you say that one execution of {name} costs at most {costs}"
    yield "models are called through LangChain, and nobody tops the budget up meanwhile"


def caveats(total: Sum, steps: Sequence[Step], provider_tools: Sequence[str]) -> Iterator[str]:
    """What may go over a limit although it is held."""
    limits = total.limits
    models = any(isinstance(step, Held) and step.calls == "model" for step in steps)
    if models and limits.keys() & {"usd", "output_tokens", "total_tokens"}:
        yield "a provider that ignores the output cap: that call is on the books in full, and the next one is refused"
    if models and limits.keys() & {"usd", "input_tokens", "total_tokens"}:
        yield "a prompt that was counted by an estimate: by the few tokens that the estimate was short"
    if "llm_calls" in limits:
        yield "retries inside of a provider's own client (max_retries): nobody sees them"
    if "seconds" in limits:
        yield (
            "seconds are wall-clock: a call under way is not waited for beyond them, but a synchronous one runs on in "
            "its thread, and the graph's own steps take time"
        )
    if provider_tools:
        yield f"tools that run at the provider, which no tool node sees: {', '.join(provider_tools)}"
