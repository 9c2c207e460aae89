"""The debt-sustainability model: central outlook, fans, stress, decomposition, back-test.

The plain annual form that a country economist expects stands here as public functions; the
quarterly model of local governments is behind :func:`central_outlook` and :func:`simulate_outlook`.
"""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    # the annual form: paths, fans, stress, limits
    "project_ratio": "annual",
    "decompose_annual": "annual",
    "debt_fan": "annual_fan",
    "ShockRule": "annual_fan",
    "FanChart": "annual_fan",
    "financing": "annual_financing",
    "gross_need_ratio": "annual_financing",
    "estimate_shocks": "annual_stress",
    "StressSizes": "annual_stress",
    "stress_paths": "annual_stress",
    "most_likely_path": "annual_stress",
    "debt_stabilising_balance": "annual_limits",
    "required_balance": "annual_limits",
    "constant_path": "annual_limits",
    "first_breach": "annual_limits",
    "breach_time": "annual_limits",
    "breach_probability": "annual_limits",
    "fiscal_gap_s1": "annual_limits",
    "fiscal_gap_s2": "annual_limits",
    # the quarterly model
    "central_outlook": "accounts",
    "simulate_outlook": "outlook",
    "central_indicators": "outlook",
    "load_scenarios": "scenarios",
    "run_scenarios": "stress",
    "reverse_stress": "reverse",
    "stress_basis": "exposure",
    "refinance": "refinancing",
    "refinancing_wall": "refinancing",
    "service_profile": "ladder",
    "decompose_ratio": "decompose",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: the compiled model loads only where needed."""
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(name)
