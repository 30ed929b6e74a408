"""What a cause *is*: one typed object, from which tasks, dataset card, command line and site are generated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ilp_bench.data.causes.context import BuildContext
from ilp_bench.data.causes.items import Item, Pairs
from ilp_bench.data.schema import ItemRow


@dataclass(frozen=True)
class CauseText:
    """What the site says about a cause, beside its numbers. Section numbers are those of arXiv 2604.10079.

    question   what the cause makes one ask
    why        what happens in training
    treated    what a treated item does, after "an item that ..."
    control    the same of a control item
    repair     what helps
    dose_effect  what its dose should do; ``dose_weakens`` where a higher dose is a weaker cause
    dose       what its dose is, where a base model's run says so
    activity   which pairs it can act on, where that depends on the base model
    """

    question: str
    why: str
    treated: str
    control: str
    repair: str
    dose_effect: str = "The stronger the cause, the less should be learned"
    dose_weakens: bool = False
    dose: str = ""
    activity: str = ""


def no_decoys(_: BuildContext, __: int) -> Sequence[Item]:
    """None."""
    return ()


def every_treated_pair(recall: pa.Table) -> set[str]:
    """All pairs: the cause acts on any base model."""
    return pair_ids(recall, pc.equal(recall["arm"], "treated"))


def pair_ids(table: pa.Table, mask: pa.ChunkedArray) -> set[str]:
    """``pair_id`` of the rows where ``mask`` is true."""
    return set(table["pair_id"].filter(mask).to_pylist())


def pair_itself(pair_id: str) -> str:
    """Every pair is a group of its own."""
    return pair_id


@dataclass(frozen=True)
class Visibility:
    """A cause that can be seen in the words of a single prompt, and how an audit looks past them.

    note   which words give the treated arm away, and why that is the cause itself
    hide   question and answer of an item (a row of ``items``) without those words
    """

    note: str
    hide: Callable[[ItemRow], str]


@dataclass(frozen=True)
class CauseSpec:
    """One cause of incomplete learning.

    name            identifier, in data, files and scores
    numeral         its number in the paper
    title           full title; ``short_title`` and ``label`` (one word) are for narrow columns
    section         where the paper treats it
    dose_label      label of the axis of its dose
    dose_from_base_model  whether the dose is read from a base model's run, and not fixed by the data
    text            what the site says about it
    pairs           ``count`` matched pairs: builds the data
    decoys          items with the signs of the cause that are learned all the same, for ``count`` pairs; never scored
    active_pairs    ids of the pairs on which the cause can act, from the recall rows of a base model's run (columns
                    pair_id, arm, shots_p, shots_options, belief, prior_answer)
    documents       whether its items come with documents for continued pre-training
    early_stages    whether its treated items are trained in stages before the last
    visibility      None where no single prompt tells the arms apart
    resampling_group  pairs of one group share material, and are kept together by audits
    """

    name: str
    numeral: str
    title: str
    short_title: str
    label: str
    section: str
    dose_label: str
    text: CauseText
    pairs: Callable[[BuildContext, int], Pairs]
    decoys: Callable[[BuildContext, int], Sequence[Item]] = no_decoys
    active_pairs: Callable[[pa.Table], set[str]] = every_treated_pair
    dose_from_base_model: bool = False
    documents: bool = False
    early_stages: bool = False
    visibility: Visibility | None = None
    resampling_group: Callable[[str], str] = pair_itself

    @property
    def spoken_name(self) -> str:
        """The name with spaces."""
        return self.name.replace("_", " ")
