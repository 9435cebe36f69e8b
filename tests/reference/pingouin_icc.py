"""Have pingouin compute the tables of `reliability.json`, too: `pingouin_icc.json`.

python tests/reference/pingouin_icc.py > tests/reference/pingouin_icc.json, in an environment of its
own with pingouin 0.7.0 (GPL-3, so in none of ours), after `reliability.R`. Its order of forms is
that of psych.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pingouin

HERE = Path(__file__).parent

if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    pingouin.options["round.column.CI95"] = 8
    tables = {}
    psych = json.loads((HERE / "reliability.json").read_text(encoding="utf-8"))
    for name, table in psych["tables"].items():
        long = pd.DataFrame(np.array(table["readings"])).reset_index().melt(id_vars="index")
        found = pingouin.intraclass_corr(
            data=long, targets="index", raters="variable", ratings="value"
        )
        tables[name] = {
            "estimate": found["ICC"].tolist(),
            "lower": [float(ends[0]) for ends in found["CI95"]],
            "upper": [float(ends[1]) for ends in found["CI95"]],
        }
    versions = {"pingouin": pingouin.__version__}
    print(json.dumps({"versions": versions, "tables": tables}, indent=1))  # noqa: T201
