"""scikit-learn's handwritten digits: 1,797 images of 8×8 pixels 0..16 (Alpaydin & Kaynak 1998), ten classes.

The order of the file is not random (its writers come in blocks), so the split into 897 training and 900 test images is
a fixed random permutation: the noise stream at key(0), step 0, site "data/digits".
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch

from models.data.dataset import Dataset, Split
from models.kinds import Digits
from models.noise import Noise, key
from models.spec import SpecificationError

COUNT = 1797
TRAIN = 897
DIGEST = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def digest(images: np.ndarray, labels: np.ndarray) -> str:
    """SHA-256 of the pixels and labels as bytes."""
    return hashlib.sha256(images.astype(np.uint8).tobytes() + labels.astype(np.uint8).tobytes()).hexdigest()


def load(data: Digits) -> Dataset:
    """The two splits; raises SpecificationError where the installed file is not the known one."""
    # The images come inside scikit-learn's package, the only reason for it outside evaluation; imported here because it
    # takes a second that no other data set should pay.
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    found = digest(images, labels)
    if found != DIGEST:
        raise SpecificationError(
            f"the digits of the installed scikit-learn are not those of the known file: SHA-256 {found}, not {DIGEST}"
        )
    pixels = torch.from_numpy(images.astype(np.uint8)).reshape(COUNT, *data.shape)
    classes = torch.from_numpy(labels.astype(np.int64))
    order = Noise(key(0), 0).permutation("data/digits", COUNT)
    train, test = order[:TRAIN], order[TRAIN:]
    return Dataset(
        spec=data,
        train=Split(images=pixels[train], labels=classes[train]),
        test=Split(images=pixels[test], labels=classes[test]),
    )
