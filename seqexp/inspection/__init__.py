"""Seeing inside a model: pure functions, arrays in, arrays out."""

from seqexp.inspection.chains import Chain, chains, without_chain
from seqexp.inspection.confusion import confusion_matrix
from seqexp.inspection.decay import Decay, LagCurve, describe_decay, fit_decay, lag_curve
from seqexp.inspection.dimensionality import effective_rank, participation_ratio, state_spectrum
from seqexp.inspection.gradient_by_lag import LagNorms, gradient_by_lag
from seqexp.inspection.health import Figures, warnings
from seqexp.inspection.hidden_states import hidden_states, input_states
from seqexp.inspection.histograms import histogram_over_time
from seqexp.inspection.lyapunov import LyapunovExponents, lyapunov_exponents
from seqexp.inspection.memory_capacity import layer_memory, model_memory
from seqexp.inspection.memory_curves import memory_curve, token_memory
from seqexp.inspection.part_norms import norms_by_part, training_norms
from seqexp.inspection.pascanu import pascanu_bound
from seqexp.inspection.perturbation import perturbation, perturbed
from seqexp.inspection.principal_components import explained_variance, fit_components, project
from seqexp.inspection.saliency import integrated_gradients
from seqexp.inspection.saturation import at_bounds, dead_units, saturated_units
from seqexp.inspection.step_jacobians import StepJacobians, step_jacobians
from seqexp.inspection.time_constants import time_constants
from seqexp.inspection.traces import kinds, trace, traces
from seqexp.inspection.unit_order import unit_order

__all__ = [
    "Chain",
    "Decay",
    "Figures",
    "LagCurve",
    "LagNorms",
    "LyapunovExponents",
    "StepJacobians",
    "at_bounds",
    "chains",
    "confusion_matrix",
    "dead_units",
    "describe_decay",
    "effective_rank",
    "explained_variance",
    "fit_components",
    "fit_decay",
    "gradient_by_lag",
    "hidden_states",
    "histogram_over_time",
    "input_states",
    "integrated_gradients",
    "kinds",
    "lag_curve",
    "layer_memory",
    "lyapunov_exponents",
    "memory_curve",
    "model_memory",
    "norms_by_part",
    "participation_ratio",
    "pascanu_bound",
    "perturbation",
    "perturbed",
    "project",
    "saturated_units",
    "state_spectrum",
    "step_jacobians",
    "time_constants",
    "token_memory",
    "trace",
    "traces",
    "training_norms",
    "unit_order",
    "warnings",
    "without_chain",
]
