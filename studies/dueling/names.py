"""What tables and figures of Dueling Decoders call the same: studies, data sets and quantities; which model is best."""

from __future__ import annotations

from dataclasses import replace

from results.selection import SelectionRule

GRID, ENLARGED = "dueling/grid", "dueling/enlarged"
OBJECTIVES, AUXILIARIES = "dueling/objectives", "dueling/auxiliaries"
REMOVAL = "dueling/removal"

DATA, DECODER = "data", "model.decoder"
THRESHOLDED, FASHION = "thresholded-mnist", "fashion-mnist"
DATA_SETS = {  # in the order of Table 1
    "stochastic-mnist": "Stochastic MNIST",
    THRESHOLDED: "Thresholded MNIST",
    "mnist": "MNIST",
    FASHION: "Fashion-MNIST",
}
ORDER = (THRESHOLDED, *(data for data in DATA_SETS if data != THRESHOLDED))  # of Tables 4 and 8, and of the figures

RATE, DISTORTION = "rate", "distortion"
MLP, LINEAR = "accuracy_mlp@z1", "accuracy_linear@z1"
LABEL_DISTORTION, RECONSTRUCTION = "label_distortion_mlp@z1", "reconstruction_accuracy"
REFERENCE, SUPERVISED = "reference_accuracy", "supervised_accuracy"

LOW_RATE = 10.0  # nats: "rate < 10" (Table 1)
BEST = SelectionRule(maximise=MLP)
LOW_RATE_BEST = replace(BEST, where=((RATE, "<", LOW_RATE),))
