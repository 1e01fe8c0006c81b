"""One request to the `/tokenize` of a vLLM server; apart, because HTTP is slow to import."""

import json
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

__all__ = ["ask_for_count"]


def ask_for_count(endpoint: str, body: bytes, timeout: float) -> int | None:
    """The server's count for a request body, or `None` if it refuses that prompt.

    Raises:
        ConnectionError: If nothing answers in `timeout` seconds, or something that does not count tokens.
    """
    request = Request(endpoint, data=body, headers={"Content-Type": "application/json"})  # noqa: S310  # ServerCounter admits http(s) only
    try:
        with urlopen(request, timeout=timeout) as response:  # noqa: S310  # as above
            return int(json.load(response)["count"])
    except HTTPError as refusal:
        refusal.close()
        return None
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        raise ConnectionError(f"{endpoint} gave no count: {error!r}") from error
