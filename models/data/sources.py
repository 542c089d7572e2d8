"""Where the official files of the data sets are, and the digests by which they are known. Nothing is read here.

Sizes and digests are those of the files that LeCun, Cortes & Burges, Zalando Research, Netzer et al. and Krizhevsky
publish.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from models.families import Data
from models.specification.data import CIFAR10_BATCH, CIFAR10_TEST_IMAGES, Cifar10


@dataclass(frozen=True, kw_only=True)
class OfficialFile:
    """One file as published: its name, its size in bytes and its MD5."""

    name: str
    bytes: int
    md5: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """A file that an archive holds: `records` of `size` bytes each, of which the first `needed` are needed.

    name: its path in the archive, and in the set's folder; setting: by what a study asks for less, a number of whole
    files, the first ones, or, where not `whole`, of records of this one.
    """

    name: str
    size: int
    records: int
    needed: int
    setting: str
    whole: bool = True


@dataclass(frozen=True, kw_only=True)
class OfficialSet:
    """The files of one publication.

    name: of its folder in the cache; bases: addresses under which the files lie, tried in this order. parts: of a set
    whose one file is an archive, what is needed from it.
    """

    name: str
    bases: tuple[str, ...]
    files: tuple[OfficialFile, ...]
    parts: tuple[Part, ...] = ()

    @property
    def bytes(self) -> int:
        """The size of all files together, of an archive's parts what is needed of them."""
        return sum(part.size * part.needed for part in self.parts) or sum(file.bytes for file in self.files)


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
TRAIN_MAT, TEST_MAT = "train_32x32.mat", "test_32x32.mat"
SVHN = OfficialSet(
    name="svhn",
    bases=("http://ufldl.stanford.edu/housenumbers",),
    files=(
        OfficialFile(name=TRAIN_MAT, bytes=182_040_794, md5="e26dedcc434d2e4c54c9b2d4a06d8373"),
        OfficialFile(name=TEST_MAT, bytes=64_275_384, md5="eb5a983be6a315427106f1b164d9cef3"),
    ),
)

CIFAR10_RECORD = 1 + 3 * 32 * 32  # bytes: a label, then the red, the green and the blue pixels, row by row
_TRAIN_PARTS = tuple(
    Part(
        name=f"cifar-10-batches-bin/data_batch_{number}.bin",
        size=CIFAR10_RECORD,
        records=CIFAR10_BATCH,
        needed=CIFAR10_BATCH,
        setting="data.batches",
    )
    for number in range(1, 6)
)
_TEST_PART = Part(
    name="cifar-10-batches-bin/test_batch.bin",
    size=CIFAR10_RECORD,
    records=CIFAR10_TEST_IMAGES,
    needed=CIFAR10_TEST_IMAGES,
    setting="data.test_images",
    whole=False,
)
CIFAR10 = OfficialSet(
    name="cifar10",
    bases=("https://www.cs.toronto.edu/~kriz",),
    files=(OfficialFile(name="cifar-10-binary.tar.gz", bytes=170_052_171, md5="c32a1d4ab5d03f1284b67883e8d87530"),),
    parts=(*_TRAIN_PARTS, _TEST_PART),
)
BY_KIND = {
    "stochastic-mnist": MNIST,
    "thresholded-mnist": MNIST,
    "mnist": MNIST,
    "binary-mnist": MNIST,
    "fashion-mnist": FASHION_MNIST,
    "svhn": SVHN,
    "cifar10": CIFAR10,
}


def files_of(kind: type[Data]) -> OfficialSet | None:
    """The official files that a kind, or the kind that it refines, is made from; None where it needs none of ours."""
    for cls in kind.__mro__:
        found = BY_KIND.get(getattr(cls, "kind", ""))
        if found is not None:
            return found
    return None


def needed_by(data: Data) -> OfficialSet | None:
    """The official files that a data set is made from, of an archive only the parts that it sees."""
    official = files_of(type(data))
    if official is None or not isinstance(data, Cifar10):
        return official
    *train, test = official.parts
    return dataclasses.replace(
        official, parts=(*train[: data.batches], dataclasses.replace(test, needed=data.test_images))
    )
