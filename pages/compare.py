"""Any number of runs against each other: verdicts, curves, results, what differs."""

from cnnlab.ui import top
from cnnlab.ui.compare import choice as compare_choice
from cnnlab.ui.compare import files as compare_files
from cnnlab.ui.compare import speed as compare_speed
from cnnlab.ui.compare import view as compare_view
from cnnlab.ui.lab import history

top.require_app()

chosen = compare_choice.choose()
if chosen:
    compare_view.show(chosen)
else:
    compare_view.empty(any_runs=bool(history().summaries(limit=1)))
compare_speed.pairs_of_history()
compare_files.bring_in()
