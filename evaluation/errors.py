"""EvaluationError: a quantity that could not be measured, said in one line."""


class EvaluationError(Exception):
    """Names the family and the quantity, and what was wrong with the model's numbers or with the request."""
