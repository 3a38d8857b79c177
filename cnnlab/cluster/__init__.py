"""Training processes on other machines, through Ray.

Ray runs in processes of its own, never in that of the pages: it ends a process whose cluster is
lost, which must cost a run, not the lab. The lab starts a `bridge` for each training process
elsewhere, as it starts a `worker` here, and speaks the same lines with both. The bridge holds an
actor (`node`) on the chosen machine, which holds the training process.

Nothing here is used, and Ray is imported nowhere, unless `CNNLAB_CLUSTER` names a cluster.
"""

from cnnlab.cluster.facts import VARIABLE, MachineFacts, named, spoken
from cnnlab.cluster.machines import look, one_called, start

__all__ = ["VARIABLE", "MachineFacts", "look", "named", "one_called", "spoken", "start"]
