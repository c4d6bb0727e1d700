"""Seeing inside a model: pure functions, arrays in, arrays out."""

from seqexp.inspection.chains import Chain, chains, without_chain
from seqexp.inspection.clipping import ClippingShares, clipping_shares
from seqexp.inspection.decay import Decay, LagCurve, describe_decay, fit_decay, lag_curve
from seqexp.inspection.gradient_by_lag import LagNorms, gradient_by_lag
from seqexp.inspection.lyapunov import LyapunovExponents, lyapunov_exponents
from seqexp.inspection.pascanu import pascanu_bound
from seqexp.inspection.step_jacobians import StepJacobians, step_jacobians

__all__ = [
    "Chain",
    "ClippingShares",
    "Decay",
    "LagCurve",
    "LagNorms",
    "LyapunovExponents",
    "StepJacobians",
    "chains",
    "clipping_shares",
    "describe_decay",
    "fit_decay",
    "gradient_by_lag",
    "lag_curve",
    "lyapunov_exponents",
    "pascanu_bound",
    "step_jacobians",
    "without_chain",
]
