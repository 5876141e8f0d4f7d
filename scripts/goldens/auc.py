"""Areas under the ROC curve as scikit-learn has them, of drawn scores with and without ties: test/fixtures/evaluation/auc.json."""
import json
import random
from pathlib import Path

import sklearn
from sklearn.metrics import roc_auc_score

random.seed(7)
cases = []
for size, steps in [(5, 2), (30, 5), (200, 20), (200, 10**6)]:
    labels = [i % 3 == 0 for i in range(size)]
    scores = [min(steps, max(0, round(steps * random.gauss(0.6 if label else 0.4, 0.2)))) / steps for label in labels]
    cases.append({"labels": labels, "scores": scores, "auc": float(roc_auc_score(labels, scores))})
out = Path(__file__).parents[2] / "test" / "fixtures" / "evaluation" / "auc.json"
out.write_text(json.dumps({"made_by": f"scripts/goldens/auc.py, scikit-learn {sklearn.__version__}", "cases": cases}) + "\n")
