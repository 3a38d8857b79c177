"""The machine: what is here, how a device is chosen or switched off, what it uses.

Importing this package loads neither torch nor Keras, but most of its functions do. The process of
the pages uses the types, `OFF_SWITCHES`, `worker_environment`, `compiler`, `rss_mb` and
`peak_rss_mb`, no more.
"""

from cnnlab.devices.cards import Accelerator
from cnnlab.devices.ceilings import measure_ceilings
from cnnlab.devices.choice import (
    OFF_SWITCHES,
    OffSwitch,
    resolve,
    switch_off,
    what_frameworks_see,
    worker_environment,
)
from cnnlab.devices.compiler import (
    NO_COMPILER,
    compile_anew,
    compiler,
    drop_compiled,
    tidy_compiled,
)
from cnnlab.devices.cpu import Cpu
from cnnlab.devices.energy import EnergyMeter
from cnnlab.devices.hardware import Hardware, describe, device_name, environment
from cnnlab.devices.load import LoadSampler
from cnnlab.devices.peak import Peak, matmul_peak, peak_beside
from cnnlab.devices.sensors import (
    device_mb,
    peak_device_mb,
    peak_rss_mb,
    reset_peak,
    rss_mb,
)
from cnnlab.devices.tf32 import arithmetic
from cnnlab.devices.tf32 import use as use_tf32

__all__ = [
    "NO_COMPILER",
    "OFF_SWITCHES",
    "Accelerator",
    "Cpu",
    "EnergyMeter",
    "Hardware",
    "LoadSampler",
    "OffSwitch",
    "Peak",
    "arithmetic",
    "compile_anew",
    "compiler",
    "describe",
    "device_mb",
    "device_name",
    "drop_compiled",
    "environment",
    "matmul_peak",
    "measure_ceilings",
    "peak_beside",
    "peak_device_mb",
    "peak_rss_mb",
    "reset_peak",
    "resolve",
    "rss_mb",
    "switch_off",
    "tidy_compiled",
    "use_tf32",
    "what_frameworks_see",
    "worker_environment",
]
