"""The published numbers of Trading Information between Latents, against its Table 1 and the scalars of its text."""

from __future__ import annotations

from studies.published import read_published

# Table 1: logistic regression, linear SVM, RBF SVM, 5-NN
TABLE_1 = {
    ("svhn", "z2"): ("28.43", "27.87", "77.60", "64.25"),
    ("svhn", "z1"): ("45.77", "49.81", "59.28", "56.49"),
    ("cifar10", "z2"): ("47.36", "46.95", "53.15", "44.20"),
    ("cifar10", "z1"): ("43.27", "42.55", "45.60", "39.25"),
}
SCALARS = {
    ("S5.1", "any", "GHVAE,LVAE", "n_trials"): "441",
    ("S5.5", "svhn", "ResNet-18 IS classifier", "test_acc"): "95.02",
    ("A.1", "svhn,cifar10", "GHVAE", "n_params"): "475811",
    ("A.1", "binary_mnist", "GHVAE", "n_params"): "122713",
    ("A.1", "svhn,cifar10", "LVAE", "n_params"): "408131",
}


def test_every_number_of_table_1_is_shipped_as_printed() -> None:
    rows = [row for row in read_published("studies.hvae").rows if row.table == "T1"]
    metrics = ("acc_logreg", "acc_svm_linear", "acc_svm_rbf", "acc_knn5")
    assert {(row.dataset, row.settings["latent"], row.metric): row.value for row in rows} == {
        (*place, metric): value
        for place, values in TABLE_1.items()
        for metric, value in zip(metrics, values, strict=True)
    }
    assert {(row.paper, row.model, row.std, row.op, row.unit) for row in rows} == {
        ("xiao", "GHVAE", "", "=", "percent")
    }


def test_every_scalar_is_shipped_and_nothing_else() -> None:
    rows = [row for row in read_published("studies.hvae").rows if row.table != "T1"]
    assert {(row.table, row.dataset, row.model, row.metric): row.value for row in rows} == SCALARS
    assert len(read_published("studies.hvae").rows) == 16 + len(SCALARS)
