"""The words of the page: what was looked at, and what that does and does not mean."""

from __future__ import annotations

from aver.inference.explain_attention import Summary
from aver.inference.explain_moments import Moment
from aver.inference.explain_result import Explanation
from aver.report.runs import clock, person_name

GUIDE = """\
<section class="card guide" aria-labelledby="guide-title">
<h2 id="guide-title">How to read this</h2>
<div class="columns"><div>
<h3>Maps</h3>
<p>A class activation map says, place by place, how much a network’s own classifier was moved
towards an emotion (orange) or away from it (blue). For the face it is exact: the mean of the map
and a constant make the network’s number for that emotion (Zhou et al. 2016). For the voice it is
exact for each half second, given the length of its embedding. Maps are coarse, 6 × 6 cells on a
face and 3 × 4 on half a second of sound, and each cell sees beyond its own edges.</p>
<p>A map can be tried: the quarter that it marks highest is covered, then the quarter that it marks
lowest. Where the map tells the truth, the first costs the score much and the second little. Both
numbers stand in the tables.</p>
<p>The face network knows seven expressions and no <em>calm</em>; the map of <em>neutral</em>
stands in for it.</p>
</div><div>
<h3>Attention</h3>
<p><strong>Attention is not an explanation.</strong> The weights show from which half seconds the
network mixed its picture of the whole, not why it came to its scores: a window of high weight may
change nothing, one of low weight much. They are the same for every emotion. <em>Mean</em> averages
over layers and heads; <em>rollout</em> follows the weights through the layers (Abnar &amp; Zuidema
2020).</p>
<p>What does change the score is tried as well: each window is left out in turn, and the change of
the fused score stands in the tables. Changes are small where windows say the same.</p>
<h3>What it is about</h3>
<p>All this is about <em>expressed</em> emotion and about these networks. It tells what they used,
right or wrong; it does not tell what a person feels, nor that the networks are right. Not for
decisions about people.</p>
</div></div>
</section>"""


def summed_up(explanation: Explanation) -> list[str]:
    """One sentence for each person."""
    found = []
    for person in explanation.people:
        name = person_name(person.person, explanation.timeline)
        means = explanation.timeline.summary().get(person.person, {})
        mean = f" (mean score {means[person.emotion]:.2f})" if person.emotion in means else ""
        moments = [clock(moment.start, 1) for moment in person.moments]
        where = f", drawn at {_listed(moments)}" if moments else ""
        found.append(f"{name}: {person.emotion}{mean}{where}.")
    return found


def described(moment: Moment, attention: Summary) -> str:
    """A moment in plain words: what weighed, what changed the score, whether maps hold."""
    parts = []
    present = {b: [w for w in ws if w.present] for b, ws in moment.windows.items()}
    for branch, windows in present.items():
        if len(windows) > 1:
            weight, best = max(
                ((w.mean if attention == "mean" else w.rollout, w) for w in windows),
                key=lambda entry: entry[0],
            )
            parts.append(
                f"Of the {branch}, most attention went to {clock(best.start, 1)} ({weight:.2f} "
                f"where an even share is {1 / len(windows):.2f})."
            )
    tried = [(w, b) for b, ws in present.items() for w in ws if w.change is not None]
    if tried:
        worst, branch = min(tried, key=lambda entry: entry[0].change or 0.0)
        if worst.change is not None and worst.change < 0:
            parts.append(
                f"Leaving out the {branch} at {clock(worst.start, 1)} costs most: "
                f"{moment.emotion} {worst.change:+.3f}."
            )
        else:
            parts.append(f"Leaving out any one window does not lower {moment.emotion}.")
    faces = [f for f in moment.faces if f is not None]
    if faces:
        best_face = max(faces, key=lambda f: f.map.score).map
        parts.append(
            f"Covering the quarter of the strongest face that its map marks highest takes "
            f"{best_face.label} from {best_face.score:.2f} to {best_face.hidden_highest:.2f}; the "
            f"quarter marked lowest, to {best_face.hidden_lowest:.2f}."
        )
    return " ".join(parts)


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
