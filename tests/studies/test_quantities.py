"""Quantities as studies name them, without torch or scikit-learn."""

from __future__ import annotations

import subprocess
import sys

from studies import quantities


def test_names_of_the_digits_studies():
    both = ("z1", "z2")
    assert [each.name for each in quantities.information(both)] == ["rate_z1", "rate_z2", "rate", "distortion", "elbo"]
    assert [each.name for each in quantities.information(("z1",))] == ["rate_z1", "rate", "distortion", "elbo"]
    assert [each.name for each in quantities.probes(("z2", "z1"))] == [
        f"accuracy_{classifier}@{group}"
        for group in ("z2", "z1")
        for classifier in ("logistic", "svm_linear", "svm_rbf", "knn")
    ]
    assert quantities.probes(("z2",))[2].title == "RBF-SVM accuracy on z2"
    assert quantities.mutual_information("z2").name == "mutual_information@z2"
    assert [each.name for each in quantities.PICTURES] == ["originals", "reconstructions", "samples"]


def test_names_of_the_dueling_studies():
    assert [each.name for each in quantities.semantic("z1")] == [
        f"{measure}{suffix}@z1"
        for suffix in ("", "_fit_on_test")
        for measure in ("accuracy_mlp", "accuracy_linear", "label_distortion_mlp")
    ]
    assert quantities.semantic("z1")[5].title == "label distortion, fitted on test data"
    judged = quantities.semantic_reconstruction("place:reference")
    assert {each.name: each.prerequisites for each in judged} == {
        "reconstruction_accuracy": "place:reference",
        "reference_accuracy": "place:reference",
        "originals": "",
        "sampled_reconstructions": "",
    }
    assert quantities.supervised_accuracy("place:supervised").name == "supervised_accuracy"
    assert [(each.name, each.form) for each in quantities.latents("z1")] == [("latents", "codes"), ("tsne", "codes")]


def test_importing_them_loads_neither_torch_nor_scikit_learn():
    check = "import sys, studies.quantities; sys.exit(bool({'torch', 'sklearn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
