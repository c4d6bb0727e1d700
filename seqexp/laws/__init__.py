"""The laws that cells, models and tasks keep, as functions: tests and `seqexp check` call them."""

from seqexp.laws.everything import Verdict, check, check_model, check_quickly

__all__ = ["Verdict", "check", "check_model", "check_quickly"]
