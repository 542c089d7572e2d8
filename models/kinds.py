"""The kinds that ship, all under one name: data sets, parts of models, models, objectives, optimisers.

Only descriptions; the code behind each stands in the module that its `implementation` names.
"""

from __future__ import annotations

from models.specification.data import (
    BinaryMnist as BinaryMnist,
)
from models.specification.data import (
    Cifar10 as Cifar10,
)
from models.specification.data import (
    Digits as Digits,
)
from models.specification.data import (
    FashionMnist as FashionMnist,
)
from models.specification.data import (
    IdxImages as IdxImages,
)
from models.specification.data import (
    Mnist as Mnist,
)
from models.specification.data import (
    StochasticMnist as StochasticMnist,
)
from models.specification.data import (
    Svhn as Svhn,
)
from models.specification.data import (
    ThresholdedMnist as ThresholdedMnist,
)
from models.specification.models import (
    ClassifierModel as ClassifierModel,
)
from models.specification.models import (
    ConvolutionalHierarchy as ConvolutionalHierarchy,
)
from models.specification.models import (
    FlatModel as FlatModel,
)
from models.specification.models import (
    HierarchicalModel as HierarchicalModel,
)
from models.specification.objectives import (
    AnnealedObjective as AnnealedObjective,
)
from models.specification.objectives import (
    BetaObjective as BetaObjective,
)
from models.specification.objectives import (
    CrossEntropyObjective as CrossEntropyObjective,
)
from models.specification.objectives import (
    DuelingObjective as DuelingObjective,
)
from models.specification.objectives import (
    FreeBitsObjective as FreeBitsObjective,
)
from models.specification.objectives import (
    TargetRateObjective as TargetRateObjective,
)
from models.specification.parts import (
    Activation as Activation,
)
from models.specification.parts import (
    Bernoulli as Bernoulli,
)
from models.specification.parts import (
    Binomial as Binomial,
)
from models.specification.parts import (
    ConvolutionalAuxiliary as ConvolutionalAuxiliary,
)
from models.specification.parts import (
    ConvolutionalDecoder as ConvolutionalDecoder,
)
from models.specification.parts import (
    ConvolutionalEncoder as ConvolutionalEncoder,
)
from models.specification.parts import (
    DenseDecoder as DenseDecoder,
)
from models.specification.parts import (
    DenseEncoder as DenseEncoder,
)
from models.specification.parts import (
    DenseNet121Encoder as DenseNet121Encoder,
)
from models.specification.parts import (
    DropoutCnnEncoder as DropoutCnnEncoder,
)
from models.specification.parts import (
    Gaussian as Gaussian,
)
from models.specification.parts import (
    GradientAuxiliary as GradientAuxiliary,
)
from models.specification.parts import (
    HistogramAuxiliary as HistogramAuxiliary,
)
from models.specification.parts import (
    LogisticMixture as LogisticMixture,
)
from models.specification.parts import (
    MarginalsAuxiliary as MarginalsAuxiliary,
)
from models.specification.parts import (
    PixelCnnDecoder as PixelCnnDecoder,
)
from models.specification.parts import (
    PyramidDecoder as PyramidDecoder,
)
from models.specification.parts import (
    PyramidEncoder as PyramidEncoder,
)
from models.specification.parts import (
    ResNet18Encoder as ResNet18Encoder,
)
from models.specification.parts import (
    StandardNormalPrior as StandardNormalPrior,
)
from models.specification.parts import (
    VampPrior as VampPrior,
)
from models.specification.parts import (
    WideResNetEncoder as WideResNetEncoder,
)
from models.specification.training import (
    Adadelta as Adadelta,
)
from models.specification.training import (
    Adam as Adam,
)
from models.specification.training import (
    Adamax as Adamax,
)
from models.specification.training import (
    ConstantSchedule as ConstantSchedule,
)
from models.specification.training import (
    CosineSchedule as CosineSchedule,
)
from models.specification.training import (
    Sgd as Sgd,
)
from models.specification.training import (
    StepDecaySchedule as StepDecaySchedule,
)
from models.specification.training import (
    Training as Training,
)
from models.specification.training import (
    WarmupDecaySchedule as WarmupDecaySchedule,
)
