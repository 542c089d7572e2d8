"""The command `sweep`: which verbs there are, and how it ends.

Exit codes: 0 all finished, 2 bad input, 3 some trials failed, 75 interrupted and resumable, also by storage that
does not answer in time, 1 a bug of ours.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import textwrap
import traceback
from argparse import SUPPRESS, Action, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from typing import NoReturn

from models.spec import SpecificationError, nearest
from sweep.cli.options import WIDTH, Parser, UsageError
from sweep.cli.summary import BUG
from sweep.exit_codes import BAD_INPUT, INTERRUPTED

# Each module has add(verbs), which declares its verbs with sweep.cli.options.verb.
MODULES = (
    "listing", "planning", "rehearsing", "launching", "fetching", "submitting", "watching", "logs", "cancelling",
    "recipes", "outputs", "showing", "handing", "upkeep",
)  # fmt: skip
DESCRIPTION = """\
Hyperparameter sweeps of variational autoencoders, from a named study to a paper's tables and figures. A study is
launched into a store; launched again, it does only what is missing. Tables, figures and reports are made from the store
alone, at any time."""
EXAMPLE = """\
start here:
  sweep list                     what there is to run
  sweep launch digits@small      a minute's work on a laptop
  sweep report digits@small      one HTML file with its tables and figures"""


class _Version(Action):
    """--version, looked up only when it is asked for."""

    def __call__(self, parser: ArgumentParser, *rest: object) -> None:
        from sweep.provenance import version

        print(f"sweep (ratesweep) {version()}")
        parser.exit()


def parser() -> Parser:
    """The whole command line."""
    whole = Parser(
        prog="sweep",
        description=textwrap.fill(" ".join(DESCRIPTION.split()), WIDTH),
        epilog=EXAMPLE + "\n\nsweep VERB --help explains a verb.",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    whole.add_argument("--version", action=_Version, nargs=0, default=SUPPRESS, help="print the version and exit")
    verbs = whole.add_subparsers(title="verbs", metavar="VERB", dest="verb", parser_class=Parser)
    for name in MODULES:
        importlib.import_module(f"sweep.cli.{name}").add(verbs)
    return whole


def main(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code; a user's mistake is one line on stderr."""
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except SystemExit as ended:  # --help and --version
        return ended.code if isinstance(ended.code, int) else 0
    except KeyboardInterrupt:
        print("sweep: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has seen enough; the interpreter flushes stdout once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the outermost edge
        if isinstance(error, _mistakes()):
            print(f"sweep: error: {' '.join(str(error).split())}", file=sys.stderr)
            return INTERRUPTED if _passes(error) else BAD_INPUT
        traceback.print_exc()
        print(BUG, file=sys.stderr)
        return 1


def _dispatch(arguments: Sequence[str]) -> int:
    whole = parser()
    verbs: dict[str, Parser] = next(action.choices for action in whole._actions if isinstance(action.choices, dict))
    if not arguments:
        whole.print_help()
        return 0
    first = arguments[0]
    if not first.startswith("-") and first not in verbs:
        raise UsageError(f"no verb {first!r}; {nearest(first, verbs)}")
    namespace, unknown = whole.parse_known_args(arguments)
    if unknown:
        raise UsageError(_unknown(unknown, namespace, verbs))
    if namespace.verb is None:
        raise UsageError(f"a verb is missing; {nearest('', verbs)}")
    namespace.arguments = tuple(arguments)
    code: int = namespace.run(namespace)
    return code


def _unknown(unknown: Sequence[str], namespace: Namespace, verbs: dict[str, Parser]) -> str:
    option = next((word for word in unknown if word.startswith("-")), None)
    if option is None:
        return f"unexpected {unknown[0]!r}; names stand together, before the options or after them"
    known = verbs[namespace.verb]._option_string_actions if namespace.verb else {"--help": None, "--version": None}
    longs = [name for name in known if name.startswith("--")]
    verb = f" {namespace.verb}" if namespace.verb else ""
    return f"sweep{verb} has no option {option.partition('=')[0]}; {nearest(option.partition('=')[0], longs)}"


def _mistakes() -> tuple[type[BaseException], ...]:
    """The errors that are a user's to mend."""
    from evaluation.errors import EvaluationError
    from results.files import StoreError
    from sweep.executor import ExecutorError

    return UsageError, SpecificationError, StoreError, ExecutorError, EvaluationError


def _passes(error: Exception) -> bool:
    """Whether storage did not answer steadily, however often it was asked: no mistake, and later it may."""
    from results.faults import StoreError, Unsteady

    # A store that has given up waiting raises a plain StoreError, so that nobody outside waits again.
    return isinstance(error, Unsteady) or (isinstance(error, StoreError) and isinstance(error.__context__, Unsteady))


def run() -> NoReturn:
    """The entry point of the command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot write β is no reason to fail
            stream.reconfigure(errors="replace")
    gc.set_threshold(200_000)  # a study is many small records; looking for cycles in them is a tenth of the time
    sys.exit(main(sys.argv[1:]))
