"""Writes test/golden/metric-references.safetensors: metrics of small sets as SciPy, scikit-learn and plain NumPy give them.

Needs numpy, scipy 1.17, scikit-learn 1.9, safetensors:
    python tools/golden/metric-references.py test/golden/metric-references.safetensors
"""
import json
import sys

import numpy as np
from safetensors.numpy import save_file
from scipy.linalg import sqrtm
from scipy.optimize import minimize
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support, roc_auc_score

rng = np.random.default_rng(7)
out, meta = {}, {}


def features(count, scales, shift=0.0):
    "Correlated features: scaled noise through a fixed random mixture."
    mix = np.random.default_rng(len(scales)).standard_normal((len(scales), len(scales)))
    return (rng.standard_normal((count, len(scales))) * scales) @ mix + shift


# Frechet distance with SciPy's root of the product, of regular, badly scaled and singular covariances.
fid = []
for n, m, scales, shift in [
    (60, 50, np.ones(8), 0.3),
    (200, 150, np.logspace(0, -3, 12), 0.1),
    (24, 20, np.ones(32), 0.2),
    (120, 20, 1 / np.arange(1, 33), 0.0),
    (20, 120, 1 / np.arange(1, 33), 0.5),
]:
    x, y = features(n, scales), features(m, scales * 1.2, shift)
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = sqrtm(a @ b)
    distance = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b) - 2 * np.trace(root).real
    out |= {f"fid.{len(fid)}.real": x, f"fid.{len(fid)}.fake": y}
    fid.append({"distance": float(distance), "images": [n, m], "dimensions": len(scales)})
meta["fid"] = fid

# Precision, recall, density and coverage by their definitions, one pair of images after the other.
manifold = []
for n, m, d, k, shift in [(40, 30, 3, 3, 0.5), (25, 50, 6, 5, 0.3), (30, 30, 2, 1, 1.5)]:
    x, y = rng.standard_normal((n, d)), rng.standard_normal((m, d)) * 0.8 + shift
    dist = lambda p, q: np.sqrt(((p[:, None] - q[None]) ** 2).sum(-1))
    rx, ry, xy = np.sort(dist(x, x))[:, k], np.sort(dist(y, y))[:, k], dist(x, y)
    out |= {f"manifold.{len(manifold)}.real": x, f"manifold.{len(manifold)}.fake": y}
    manifold.append(
        {
            "k": k,
            "precision": float((xy < rx[:, None]).any(0).mean()),
            "recall": float((xy < ry[None]).any(1).mean()),
            "density": float((xy < rx[:, None]).sum(0).mean() / k),
            "coverage": float((xy.min(1) < rx).mean()),
        }
    )
meta["manifold"] = manifold

# Classification reports; cases: two values, many, one that is never predicted, one that occurs nowhere, only value 0.
reports = []
for classes, truth, predicted in [
    (2, rng.integers(0, 2, 50), rng.integers(0, 2, 50)),
    (4, rng.integers(0, 4, 90), rng.integers(0, 4, 90)),
    (3, np.array([0, 1, 2, 2, 1, 0, 0]), np.array([0, 1, 1, 1, 1, 0, 1])),
    (5, np.array([0, 1, 1, 3]), np.array([0, 1, 3, 3])),
    (2, np.array([0, 0, 0]), np.array([0, 0, 0])),
    (2, np.array([1, 0, 1]), np.array([0, 0, 0])),
]:
    scores = np.round(rng.random(len(truth)), 1)
    of = lambda **o: [float(v) for v in precision_recall_fscore_support(truth, predicted, zero_division=0, **o)[:3]]
    each = precision_recall_fscore_support(truth, predicted, zero_division=0, labels=range(classes))
    both = len(np.unique(truth)) == 2
    reports.append(
        {
            "classes": classes,
            "truth": truth.tolist(),
            "predicted": predicted.tolist(),
            "scores": scores.tolist(),
            "accuracy": float(accuracy_score(truth, predicted)),
            "confusion": confusion_matrix(truth, predicted, labels=range(classes)).tolist(),
            "perClass": [[float(v) for v in row] for row in zip(*each)],
            "macro": of(average="macro"),
            "reference": of(average="binary") if classes == 2 else of(average="macro"),
            "referenceAuc": float(roc_auc_score(truth, predicted)) if both else None,
            "auc": float(roc_auc_score(truth, scores)) if both and classes == 2 else None,
        }
    )
meta["reports"] = reports

# Shares of greatest likelihood, found by a general optimiser; the last three lie on the simplex' border.
shares = []
for counts, confusion in [
    ([300, 212], [[95, 5], [8, 92]]),
    ([200, 150, 162], [[90, 6, 4], [10, 85, 5], [3, 9, 88]]),
    ([2, 510], [[95, 5], [8, 92]]),
    ([1, 250, 261], [[80, 15, 5], [10, 85, 5], [3, 9, 88]]),
    ([5, 8, 400, 99], [[70, 10, 10, 10], [10, 70, 10, 10], [5, 5, 80, 10], [10, 10, 20, 60]]),
]:
    counts, rates = np.array(counts, float), np.array(confusion, float)
    rates /= rates.sum(1, keepdims=True)
    found = minimize(
        lambda p: -(counts / counts.sum() * np.log(np.maximum(p, 0) @ rates + 1e-300)).sum(),
        np.full(len(counts), 1 / len(counts)),
        method="SLSQP",
        bounds=[(0, 1)] * len(counts),
        constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    shares.append({"counts": counts.tolist(), "confusion": confusion, "shares": found.x.tolist()})
meta["shares"] = shares

print(json.dumps({k: v for k, v in meta.items() if k != "reports"}, indent=1))
save_file(
    {k: np.ascontiguousarray(v) for k, v in out.items()}, sys.argv[1], metadata={k: json.dumps(v) for k, v in meta.items()}
)
