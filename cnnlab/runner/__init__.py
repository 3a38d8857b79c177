"""The queue, the background thread that works it off, and the live view of what it does.

A run never waits for a whole sweep: it is trained between two of its cells.

One `Lab` owns them all. Its thread launches each run in a worker process and carries the events
into the live buffer, which pages read, and into the history, which outlives everything. Neither
this package nor anything it imports loads Keras, torch or Streamlit.
"""

from cnnlab.runner.errands import Errand, Errands
from cnnlab.runner.lab import Lab
from cnnlab.runner.live import LiveRun, Snapshot
from cnnlab.runner.process import Elsewhere, Worker, probe
from cnnlab.runner.race_job import RaceSnapshot
from cnnlab.runner.sweep_job import SweepSnapshot

__all__ = [
    "Elsewhere",
    "Errand",
    "Errands",
    "Lab",
    "LiveRun",
    "RaceSnapshot",
    "Snapshot",
    "SweepSnapshot",
    "Worker",
    "probe",
]
