"""What a vLLM server counted itself, read from its ``/metrics``."""

from collections import defaultdict
from dataclasses import astuple, dataclass

__all__ = ["ServerCounters", "parse_metrics"]


@dataclass(frozen=True, slots=True)
class ServerCounters:
    """Totals since the server's start, over all clients; the difference of two is what happened between.

    A request that samples ``n`` answers counts its prompt ``n`` times here, but once in its own usage. A stream
    that its client broke off counts the tokens made until then, and no request.

    Attributes:
        prompt_tokens: Tokens of all prompts, cached ones included.
        generation_tokens: Tokens generated.
        requests: Answers that were finished.
        prefix_cache_queries: Prompt tokens looked up in the prefix cache.
        prefix_cache_hits: Prompt tokens found there.
    """

    prompt_tokens: int = 0
    generation_tokens: int = 0
    requests: int = 0
    prefix_cache_queries: int = 0
    prefix_cache_hits: int = 0

    def __sub__(self, earlier: "ServerCounters") -> "ServerCounters":
        pairs = zip(astuple(self), astuple(earlier), strict=True)
        return ServerCounters(*(now - before for now, before in pairs))

    @classmethod
    def of(cls, metrics: dict[str, float]) -> "ServerCounters":
        """The counters among ``metrics``, as `parse_metrics` returns them; KeyError if one is missing."""
        return cls(
            prompt_tokens=int(metrics["vllm:prompt_tokens_total"]),
            generation_tokens=int(metrics["vllm:generation_tokens_total"]),
            requests=int(metrics["vllm:request_success_total"]),
            prefix_cache_queries=int(metrics["vllm:prefix_cache_queries_total"]),
            prefix_cache_hits=int(metrics["vllm:prefix_cache_hits_total"]),
        )


def parse_metrics(text: str) -> dict[str, float]:
    """Each metric of a Prometheus text page by name, summed over its label sets.

    Lines carry no timestamps in what vLLM writes, so that the value is the last word.
    """
    totals: defaultdict[str, float] = defaultdict(float)
    for line in text.splitlines():
        if line and not line.startswith("#"):
            sample, _, value = line.rpartition(" ")
            totals[sample.partition("{")[0]] += float(value)
    return dict(totals)
