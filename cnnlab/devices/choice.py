"""Which device a run gets, and the three ways to keep it off the GPU."""

from __future__ import annotations

import os
import sys
from typing import Any

from cnnlab.devices import cards
from cnnlab.spec import Frozen, GpuOff, LabError

# The values that hide every card. Windows drops a variable that is set to nothing, so there the
# number of a card that cannot exist does the same.
HIDING: dict[str, str] = {
    "CUDA_VISIBLE_DEVICES": "-1" if sys.platform == "win32" else "",
    # Apple's and Intel's GPUs heed no such variable, but Keras's choice of a device does.
    "KERAS_TORCH_DEVICE": "cpu",
}


# The threads of a step wait for each other dozens of times in it. GNU's OpenMP, which torch brings
# along on Linux, lets them spin for milliseconds meanwhile. Where one core is busy with something
# else, a browser that draws a page for example, the thread that spins keeps the one that it waits
# for from running: a step of 4 ms took 230 ms (`bench.beside`). Here they sleep after about a
# quarter of a millisecond. On a quiet machine some wait longer than that, and to be woken costs a
# small step on several threads up to a tenth of its time: the price of not being slowed many times.
WAITING: dict[str, str] = {"GOMP_SPINCOUNT": "10000"}


class OffSwitch(Frozen):
    """One way to switch the GPU off, for a person to read and to try."""

    title: str
    explanation: str
    code: str


OFF_SWITCHES: dict[GpuOff, OffSwitch] = {
    "environment": OffSwitch(
        title="Hide the card from the process",
        explanation=(
            "The CUDA driver reads this variable once, when it starts, and then shows the process "
            "no card. It must be set before the framework is imported, and it holds for "
            "everything in the process."
        ),
        code='import os\n\nos.environ["CUDA_VISIBLE_DEVICES"] = ""\n\nimport keras',
    ),
    "override": OffSwitch(
        title="Override what torch answers",
        explanation=(
            "Keras asks torch once, at its import, whether there is a card, and takes the CPU if "
            "the answer is no. Code that names `cuda` itself still reaches the card."
        ),
        code="import torch\n\ntorch.cuda.is_available = lambda: False\n\nimport keras",
    ),
    "device": OffSwitch(
        title="Name the device in the call",
        explanation=(
            "Everything that is built and trained inside the scope lives on the CPU, and the card "
            "stays free for the next call. A model fitted outside its scope gets its data on "
            "the card again."
        ),
        code='import keras\n\nwith keras.device("cpu"):\n    model = build()\n    model.fit(x, y)',
    ),
}


def resolve(requested: str, gpu_off: GpuOff) -> str:
    """The device a run uses, e.g. `cpu` or `cuda:0`: what was asked for, or an error.

    `auto` takes the best accelerator, or the CPU where there is none. Torch is loaded only where an
    accelerator is asked for, so a switched-off process may call this first.

    Raises:
        LabError: the device is not here, or an accelerator is both asked for and switched off.
    """
    if gpu_off != "none":
        if requested not in ("auto", "cpu"):
            raise LabError(
                f"The device is {requested} but gpu_off is {gpu_off}, which switches it off: "
                "set the device to auto or cpu, or gpu_off to none."
            )
        return "cpu"
    if requested == "cpu":
        return "cpu"
    here = cards.keys()
    if requested == "auto":
        return here[0] if here else "cpu"
    wanted = requested if ":" in requested else f"{requested}:0"
    if wanted not in here:
        present = ", ".join([*here, "cpu"])
        raise LabError(
            f"There is no {wanted} here, only {present}: {_cure(wanted)}choose {present} or auto."
        )
    return wanted


def _cure(wanted: str) -> str:
    """Why torch may not see the device, with the remedy; nothing where no reason is known."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not wanted.startswith("cuda"):
        return ""
    if torch.version.cuda is None and torch.version.hip is None:
        return f"this torch ({torch.__version__}) has no CUDA in it, so install its CUDA build, or "
    if visible is not None:
        return f"CUDA_VISIBLE_DEVICES is set to '{visible}' and may hide it, so unset that, or "
    return ""


def worker_environment(gpu_off: GpuOff) -> dict[str, str]:
    """Variables to set for a fresh process that trains, before it loads torch.

    How threads wait is left as it is where somebody has chosen it.
    """
    chosen = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys()
    waiting = {} if chosen else WAITING
    return waiting | (HIDING if gpu_off == "environment" else {})


def switch_off(gpu_off: GpuOff) -> None:
    """Apply an off-switch inside the worker, before Keras is imported.

    `none` and `device` need nothing here: the scope around the model names the device. The other
    two load torch, at the right moment.

    Raises:
        LabError: it is too late, or the switch does not take hold.
    """
    if gpu_off == "environment":
        _check_environment()
    elif gpu_off == "override":
        _override()


def _check_environment() -> None:
    """See that the cards are really hidden, and were before torch was loaded."""
    if any(os.environ.get(name) != value for name, value in HIDING.items()):
        raise LabError(
            f"CUDA_VISIBLE_DEVICES is {os.environ.get('CUDA_VISIBLE_DEVICES')!r} and "
            f"KERAS_TORCH_DEVICE is {os.environ.get('KERAS_TORCH_DEVICE')!r}, so the GPU is not "
            "hidden: start the worker with the variables of worker_environment."
        )
    if "torch" in sys.modules and not _hidden_from_the_start():
        raise LabError(
            "CUDA_VISIBLE_DEVICES was changed in a process that had torch loaded, which may be "
            "too late: start a fresh process with it set."
        )
    left = cards.keys()
    if any(key.startswith("cuda") for key in left):
        raise LabError(
            f"torch still sees {', '.join(left)} although CUDA_VISIBLE_DEVICES hides all cards: "
            "use gpu_off override or device instead."
        )


def _hidden_from_the_start() -> bool:
    """Whether the process was born with the variable, as the system recorded it at its start."""
    import psutil

    born_with = psutil.Process().environ().get("CUDA_VISIBLE_DEVICES")
    return born_with == HIDING["CUDA_VISIBLE_DEVICES"]


def _override() -> None:
    """Make torch answer that no accelerator is available."""
    if "keras" in sys.modules:
        raise LabError(
            "Keras is already loaded and has chosen its device, so overriding torch's answer "
            "comes too late: start a fresh process."
        )
    forced = os.environ.get("KERAS_TORCH_DEVICE", "cpu")
    if forced != "cpu":
        raise LabError(
            f"KERAS_TORCH_DEVICE is {forced}, so Keras does not ask torch and overriding its "
            "answer does nothing: unset that variable."
        )
    import torch

    asked: tuple[Any, ...] = (torch.cuda, torch.backends.mps, torch.xpu)  # by Keras, at its import
    for module in asked:
        module.is_available = _no


def _no() -> bool:
    """What torch answers once it is overridden."""
    return False


def what_frameworks_see() -> dict[str, Any]:
    """What torch and Keras see in this process. Loads both; puts a weight on the default device.

    Returns:
        `torch`: per kind `is_available` and `device_count`; `keras`: `default_device` (fixed at
        its import), `new_layer` and `new_layer_in_cpu_scope` (where a fresh layer's weights lie);
        `variables`: the environment variables that have a say.
    """
    import torch

    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras
    from keras.src.backend.torch.core import DEFAULT_DEVICE

    with keras.device("cpu"):
        in_scope = _where_a_layer_lies()
    return {
        "torch": {
            "cuda": _seen(torch.cuda, torch.cuda),
            "mps": _seen(torch.backends.mps, torch.mps),
            "xpu": _seen(torch.xpu, torch.xpu),
        },
        "keras": {
            "default_device": DEFAULT_DEVICE,
            "new_layer": _where_a_layer_lies(),
            "new_layer_in_cpu_scope": in_scope,
        },
        "variables": {name: os.environ.get(name) for name in HIDING},
    }


def _seen(asked: Any, counted: Any) -> dict[str, Any]:
    return {"is_available": asked.is_available(), "device_count": counted.device_count()}


def _where_a_layer_lies() -> str:
    import keras

    layer = keras.layers.Dense(1, use_bias=False)
    layer.build((None, 1))
    return str(layer.kernel.value.device)
