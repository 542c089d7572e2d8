"""Where the official files of the data sets are, and the digests by which they are known. Nothing is read here.

Sizes and digests are those of the files that LeCun, Cortes & Burges and Zalando Research publish.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.families import Data


@dataclass(frozen=True, kw_only=True)
class OfficialFile:
    """One file as published: its name, its size in bytes and its MD5."""

    name: str
    bytes: int
    md5: str


@dataclass(frozen=True, kw_only=True)
class OfficialSet:
    """The files of one publication.

    name: of its folder in the cache; bases: addresses under which the files lie, tried in this order.
    """

    name: str
    bases: tuple[str, ...]
    files: tuple[OfficialFile, ...]

    @property
    def bytes(self) -> int:
        """The size of all files together."""
        return sum(file.bytes for file in self.files)


TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"
TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"

# The first page of MNIST, yann.lecun.com/exdb/mnist, no longer gives its files; these are the copies that PyTorch and
# the Common Visual Data Foundation keep.
MNIST = OfficialSet(
    name="mnist",
    bases=("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist"),
    files=(
        OfficialFile(name=TRAIN_IMAGES, bytes=9_912_422, md5="f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        OfficialFile(name=TRAIN_LABELS, bytes=28_881, md5="d53e105ee54ea40749a09fcbcd1e9432"),
        OfficialFile(name=TEST_IMAGES, bytes=1_648_877, md5="9fb629c4189551a2d022fa330f9573f3"),
        OfficialFile(name=TEST_LABELS, bytes=4_542, md5="ec29112dd5afa0611ce80d1b7f02629c"),
    ),
)
FASHION_MNIST = OfficialSet(
    name="fashion-mnist",
    bases=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
    ),
    files=(
        OfficialFile(name=TRAIN_IMAGES, bytes=26_421_880, md5="8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        OfficialFile(name=TRAIN_LABELS, bytes=29_515, md5="25c81989df183df01b3e8a0aad5dffbe"),
        OfficialFile(name=TEST_IMAGES, bytes=4_422_102, md5="bef4ecab320f06d8554ea6380940ec79"),
        OfficialFile(name=TEST_LABELS, bytes=5_148, md5="bb300cfdad3c16e7a12a480ee83cd310"),
    ),
)
BY_KIND = {
    "stochastic-mnist": MNIST,
    "thresholded-mnist": MNIST,
    "mnist": MNIST,
    "binary-mnist": MNIST,
    "fashion-mnist": FASHION_MNIST,
}


def files_of(kind: type[Data]) -> OfficialSet | None:
    """The official files that a kind, or the kind that it refines, is made from; None where it needs none of ours."""
    for cls in kind.__mro__:
        found = BY_KIND.get(getattr(cls, "kind", ""))
        if found is not None:
            return found
    return None
