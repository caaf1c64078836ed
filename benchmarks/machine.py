"""On what, and with what, was measured. No name of the machine."""

import os
import platform
import sysconfig
import time
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "httptools", "SQLAlchemy", "psycopg")
_GIB = 1024**3
_BUSY_SECONDS = 1.0


def described() -> dict[str, str]:
    """Processor, cores, memory, kernel."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    return {
        "Processor": f"{_processor()}, {os.cpu_count()} cores, {len(os.sched_getaffinity(0))} of them used",
        "Memory": f"{memory:.0f} GiB",
        "System": f"{platform.system()} {platform.release()}, {_distribution()}",
        "Python": f"{platform.python_version()}, {_build()}",
    }


def packages() -> dict[str, str]:
    """Versions of what serves in our own environment."""
    return {name: version(name) for name in _PACKAGES}


def others_busy() -> float:
    """Cores that are at work now, while nothing is measured: above 0.1 the figures are not to be trusted."""
    before = _busy_ticks()
    time.sleep(_BUSY_SECONDS)
    return (_busy_ticks() - before) / os.sysconf("SC_CLK_TCK") / _BUSY_SECONDS


def _busy_ticks() -> int:
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle, waiting = fields[3], fields[4]
    return sum(fields) - idle - waiting


def _build() -> str:
    """Interpreted code is a third slower in a build without profile; what is compiled into modules is not."""
    has_profile = "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS"))
    return "built with profile-guided optimization" if has_profile else "built without profile-guided optimization"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except OSError:
        return "unknown"
