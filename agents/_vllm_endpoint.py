"""The HTTP side of a vLLM server: health, models, metrics."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

from ._server_error import ServerError
from ._vllm_metrics import ServerCounters, parse_metrics

__all__ = ["Endpoint"]

TIMEOUT = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server by its address without ``/v1``, where vLLM keeps health and metrics."""

    root: str
    api_key: str = "EMPTY"

    @classmethod
    def at(cls, url: str, api_key: str = "EMPTY") -> "Endpoint":
        """The endpoint of an OpenAI base URL, given with or without its ``/v1``."""
        return cls(url.rstrip("/").removesuffix("/v1"), api_key)

    @property
    def url(self) -> str:
        """The OpenAI base URL."""
        return f"{self.root}/v1"

    def healthy(self) -> bool:
        """Whether the server answers that it is well."""
        try:
            return self._request("GET", "/health").is_success
        except httpx.HTTPError:
            return False

    def models(self) -> list[str]:
        """The names of the models on offer; ServerError when nothing like a model server answers."""
        return [str(model["id"]) for model in self._read("/v1/models").json()["data"]]

    def metrics(self) -> dict[str, float]:
        """Every metric by name, summed over its label sets."""
        return parse_metrics(self._read("/metrics").text)

    def counters(self) -> ServerCounters:
        """The server's own totals."""
        try:
            return ServerCounters.of(self.metrics())
        except KeyError as error:
            raise ServerError(f"{self.root}/metrics has no {error}; is it a vLLM server?") from error

    def forces_usage(self, model: str) -> bool:
        """Whether streams carry usage that nobody asked for; found out with one token. False if unknown."""
        question: dict[str, Any] = {"model": model, "prompt": "a", "max_tokens": 1, "stream": True}
        try:
            answer = self._request("POST", "/v1/completions", json=question)
        except httpx.HTTPError:
            return False
        chunks = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
        return any(json.loads(chunk).get("usage") for chunk in chunks)

    def _read(self, path: str) -> httpx.Response:
        try:
            return self._request("GET", path).raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerError(f"{self.root}{path} does not answer ({error})") from error

    def _request(self, method: str, path: str, **content: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.api_key}"}
        return httpx.request(method, self.root + path, headers=headers, timeout=TIMEOUT, **content)
