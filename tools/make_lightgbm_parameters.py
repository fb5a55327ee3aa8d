"""Write ``rules/knowledge/lightgbm_parameters.json`` from a model that LightGBM 4.0.0 saved as text.

That one release looks up every parameter of a file that it opens, and fails on those it does not
know. A text model lists all parameters of the release that wrote it.

    python tools/make_lightgbm_parameters.py MODEL.txt
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "rules" / "knowledge" / "lightgbm_parameters.json"


def main() -> int:
    text = Path(sys.argv[1]).read_text()
    names = sorted(set(re.findall(r"^\[(\w+):", text.partition("\nparameters:")[2], re.MULTILINE)))
    document = {
        "generator": "tools/make_lightgbm_parameters.py",
        "source": "a text model saved by LightGBM 4.0.0",
        "parameters": names,
    }
    TARGET.write_text(json.dumps(document, separators=(",", ":")) + "\n")
    print(f"{len(names)} parameters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
