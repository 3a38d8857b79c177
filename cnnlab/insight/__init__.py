"""What a trained network does with a picture: asked of a process of its own, so that no page loads
torch.

`Insight.answer` starts `python -m cnnlab.insight` when it is first needed. That process computes on
one CPU thread at the lowest priority, and ends when nobody has asked for a while.
"""

from cnnlab.insight.helper import Insight
from cnnlab.insight.questions import Answer, Foresee, Look, Network, Question

__all__ = ["Answer", "Foresee", "Insight", "Look", "Network", "Question"]
