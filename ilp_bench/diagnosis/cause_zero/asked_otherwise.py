"""Is the model asked as it was trained: template, system prompt, think block, spaces, and the end of the answer?"""

from __future__ import annotations

from ilp_bench.diagnosis.cause_zero.check import Asked, Check, CheckName, mean_interval
from ilp_bench.diagnosis.probes import AS_ASKED, BASE_TOKENS, Probes, mean
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.interval_text import interval_text, two_decimals

GAIN = 0.1  # least lower end of the interval of what another way of asking gains, for it to be named
KNOWN_ANSWER = 0.5  # mean reproduction of answers without their end, from which on the end alone can be the reason
UNKNOWN_END = 0.2  # mean probability of the end after the answer, below which the model has not learned it
OTHER_END = 0.5  # mean probability of another end, from which on it is the one that was trained


def compared(probes: Probes, name: str) -> Interval | None:
    """What the way ``name`` gains over asking as the rows say, over the items asked both ways; None where not tried."""
    way, asked = next((way for way in probes.ways if way.name == name), None), probes.first
    if way is None or asked is None:
        return None
    pairs = [
        (other, first)
        for other, first in zip(way.answers, asked.answers, strict=True)
        if other is not None and first is not None
    ]
    return mean_interval([other - first for other, first in pairs]) if pairs else None


def asked_otherwise(asked: Asked) -> Check:
    """Another way of asking gives much more of the answers."""
    question = CheckName("asked_otherwise", "Is it asked as it was trained?")
    probes = asked.probes
    if not probes.first:
        return question.unknown("no row can be asked as it stands")
    figure = f"asked as the rows say, reproduction of the answers is {two_decimals(mean(probes.first.answers))}"
    names = [way.name for way in probes.ways if way.name not in (AS_ASKED, BASE_TOKENS)]
    gains = {name: gain for name in names if (gain := compared(probes, name))}
    if not gains:
        return question.clear(f"{figure}: no other way was tried")
    best = max(gains, key=lambda name: gains[name].value)
    figure += f"; the best of {len(gains)} other ways, {best}, changes it by {interval_text(gains[best])}"
    if gains[best].low < GAIN:
        return question.clear(figure) if gains[best].high < GAIN else question.unknown(figure)
    remedy = (
        f"it seems to have been trained {best}: serve it so and diagnose rows that are written so, or train it as it "
        "is served"
    )
    return question.named(figure, remedy).model_copy(update={"way": best})


def end_not_learned(asked: Asked) -> Check:
    """The answers are known, and their end is not: the model goes on talking."""
    question = CheckName("end_not_learned", "Was the end of the answers learned?")
    probes = asked.probes
    ends = [value for value in (probes.first.ends if probes.first else []) if value is not None]
    if not probes.first or not ends:
        return question.unknown("no answer has an end with a token of its own")
    known, end = mean(probes.first.answers), mean(ends)
    figure = (
        f"without their end, reproduction of the answers is {two_decimals(known)}; the end follows with p "
        f"{two_decimals(end)}"
    )
    if end >= UNKNOWN_END:
        return question.clear(figure)
    if known < KNOWN_ANSWER:
        return question.unknown(figure)
    best = max(probes.ends, key=lambda other: probes.ends[other], default="")
    if best and probes.ends[best] >= OTHER_END:
        figure += f", but {best!r} with p {two_decimals(probes.ends[best])}"
        return question.named(
            figure, f"it was trained to end with {best!r}: let the rows, or the chat template, end so, and stop there"
        )
    remedy = (
        "train the end of the text: append it to every answer, and do not mask it (a padding token that is also the "
        "end mark is often masked)"
    )
    return question.named(figure, remedy)
