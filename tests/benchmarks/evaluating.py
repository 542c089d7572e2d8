"""Probes and class information of a trial: our engines against scikit-learn as Xiao & Bamler (2023) call it.

    .venv/bin/python tests/benchmarks/evaluating.py [points] [dimensions of z2] [of z1]

One thread, CPU seconds, since the machine may be shared. The codes are synthetic: classes as frequent as SVHN's, each
of 40 overlapping clusters, so that linear classifiers read about a quarter of the labels from z2, and kernels and
neighbours more than half. Of z1 the plain linear SVM of one pair of classes in nine is fitted, for all 45 take from
many minutes to hours; the time of all is nine times theirs, and the share of points for which such a pair decides
otherwise than ours stands in place of its accuracy. Plain logistic regression is saga for 100 passes; one of the
authors' five seeds is run, and counted five times. Plain mutual information takes the samples one after another; a
fiftieth of them is run, and counted fifty times.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from itertools import combinations, islice
from typing import Any

POINTS, TOP, LOWER = 10_000, 32, 512
SHARES = (0.067, 0.196, 0.159, 0.111, 0.097, 0.092, 0.076, 0.077, 0.064, 0.061)  # of the digits 0-9 in SVHN
CLUSTERS, DIRECTIONS, FEATURES = 40, 10, 64
SEEDS = 5
PAIRS = 9  # one in so many, where there are more than this many dimensions
WIDE = 64
PART = 50  # one sample in so many


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    result = call()
    return time.process_time() - begun, result


def main(points: int = POINTS, top: int = TOP, lower: int = LOWER) -> None:
    from models.training.process import prepare

    prepare(1)
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    from evaluation.linear_svm import hyperplane
    from evaluation.mutual_information import class_information
    from evaluation.probes import CLASSIFIERS, score, split
    from evaluation.view import CodeArrays

    rng = np.random.default_rng(0)
    labels = rng.choice(10, points, p=np.divide(SHARES, sum(SHARES)))
    centres = rng.standard_normal((10, CLUSTERS, DIRECTIONS)) + 0.15 * rng.standard_normal((10, 1, DIRECTIONS))
    places = centres[labels, rng.integers(0, CLUSTERS, points)] + 0.4 * rng.standard_normal((points, DIRECTIONS))
    features = np.maximum(places @ rng.standard_normal((DIRECTIONS, FEATURES)) + rng.standard_normal(FEATURES), 0)
    spectrum = 6 / np.sqrt(1 + np.arange(lower))
    turned = np.linalg.qr(rng.standard_normal((lower, lower)))[0]
    noise = rng.standard_normal((points, lower)) * spectrum @ turned + 0.3 * rng.standard_normal((points, lower))
    codes = {
        "z2": places @ rng.standard_normal((DIRECTIONS, top)) / DIRECTIONS**0.5
        + 0.6 * rng.standard_normal((points, top)),
        "z1": features @ rng.standard_normal((FEATURES, lower)) * 0.05 + noise,
    }
    train, test = split(points)

    def plain(classifier: str, z: Any) -> tuple[float, str]:
        """Seconds, and the accuracy."""
        if classifier == "svm_linear" and z.shape[1] > WIDE:
            taken, most = 0.0, 0.0
            for first, second in islice(combinations(range(10), 2), 0, None, PAIRS):
                rows = train[np.isin(labels[train], (first, second))]
                machine = SVC(kernel="linear")
                taken += seconds(lambda rows=rows, machine=machine: machine.fit(z[rows], labels[rows]))[0]
                plane = hyperplane(z[rows], np.where(labels[rows] == second, 1.0, -1.0))
                ours = np.where(z[test] @ plane[:-1] + plane[-1] > 0, second, first)
                most = max(most, np.mean(ours != machine.predict(z[test])))
            return taken * PAIRS, f"(pairs differ by {most:.2%} at most)"
        model = {
            "logistic": lambda: LogisticRegression(solver="saga", random_state=0),
            "svm_linear": lambda: SVC(kernel="linear"),
            "svm_rbf": SVC,
            "knn": KNeighborsClassifier,
        }[classifier]()
        taken, accuracy = seconds(lambda: model.fit(z[train], labels[train]).score(z[test], labels[test]))
        return taken * (SEEDS if classifier == "logistic" else 1), f"{accuracy:.4f}"

    def plain_information(posterior: CodeArrays, chosen: Any) -> Any:
        terms = []
        for j in chosen:
            square = np.square((posterior.sample[j] - posterior.mean) / posterior.std).sum(axis=1)
            density = -0.5 * square - np.log(posterior.std).sum(axis=1)
            own = density[labels == labels[j]]
            terms.append(np.logaddexp.reduce(own) - np.log(len(own)) - np.logaddexp.reduce(density) + np.log(points))
        return np.array(terms)

    print(f"{points:,} points, z2 of {top} and z1 of {lower} dimensions\n")
    print("| quantity | plain, s | ours, s | ratio | plain value | ours |")
    print("|---|---|---|---|---|---|")
    totals = [0.0, 0.0]

    def line(name: str, before: float, after: float, old: str, new: str) -> None:
        print(f"| {name} | {before:.2f} | {after:.2f} | {before / after:.1f} | {old} | {new} |", flush=True)
        totals[0] += before
        totals[1] += after

    for group, z in codes.items():
        for classifier in CLASSIFIERS:
            new = z[train], labels[train], z[test], labels[test]
            after, accuracy = seconds(lambda classifier=classifier, new=new: score(classifier, *new))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # saga has not converged
                before, old = plain(classifier, z)
            line(f"{classifier}@{group}", before, after, old, f"{accuracy:.4f}")
    std = 0.2 * rng.uniform(0.5, 1.5, codes["z2"].shape)
    posterior = CodeArrays(codes["z2"], std, codes["z2"] + std * rng.standard_normal(std.shape))
    after, terms = seconds(lambda: class_information(posterior, labels))
    chosen = np.argsort(labels, kind="stable")[::PART]  # the order of the terms
    before, some = seconds(lambda: plain_information(posterior, chosen))
    assert np.abs(some - terms[::PART]).max() < 1e-8
    line("mutual_information@z2", before * PART, after, f"{some.mean():.4f} nats", f"{terms[::PART].mean():.4f} nats")
    print(f"| all | {totals[0]:.1f} | {totals[1]:.1f} | {totals[0] / totals[1]:.1f} | | |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
