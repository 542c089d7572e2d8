"""Tune hooks: what Ray Tune asks for while it runs packs, and what it is told: between its loop and the feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweep.on_ray.environment import death_of
from sweep.on_ray.feed import Feed

if TYPE_CHECKING:
    from ray.tune import Callback
    from ray.tune.schedulers import FIFOScheduler
    from ray.tune.search import Searcher


def searcher(feed: Feed) -> Searcher:
    """Hands the waiting packs to Tune, one at a time, when there is room: a study is never enumerated for it."""
    from ray.tune.search import Searcher

    class Packs(Searcher):
        def suggest(self, trial_id: str) -> Any:
            with feed.guarded():
                task = feed.next()
                if task is not None:
                    return {"task": task}
            finished: str = Searcher.FINISHED
            return finished if feed.error or feed.queue.exhausted else None

        def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
            """What became of a trial comes through the callback, which is told why it failed."""

        def save(self, checkpoint_path: str) -> None:
            """There is nothing that the store does not say."""

        def restore(self, checkpoint_path: str) -> None:
            """A launch is resumed by launching again."""

    return Packs()


def scheduler(feed: Feed) -> FIFOScheduler:
    """Looks after the packs that no worker has begun, at every turn of Tune's loop, however busy the workers are."""
    from ray.tune.experiment import Trial
    from ray.tune.schedulers import FIFOScheduler

    pending: dict[str, Trial] = {}

    class InOrder(FIFOScheduler):
        def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
            pending[trial.config["task"].pack] = trial

        def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
            with feed.guarded():
                for pack in feed.stranded():
                    tune_controller.stop_trial(pending.pop(pack))
            for pack in [pack for pack, trial in pending.items() if trial.status != Trial.PENDING]:
                del pending[pack]
            return next(iter(pending.values()), None)

    return InOrder()  # type: ignore[no-untyped-call]


def callback(feed: Feed) -> Callback:
    from ray.tune import Callback
    from ray.tune.experiment import Trial

    class Told(Callback):
        def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
            feed.began(trial.config["task"].pack)

        def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
            with feed.guarded():
                feed.completed(trial.config["task"].pack, trial.last_result)

        def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
            with feed.guarded():
                feed.died(trial.config["task"].pack, death_of(trial.error_file))

    return Told()
