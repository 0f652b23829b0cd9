"""A numeric model: rows are arrays. What comes back is whether a row's sum is positive."""

import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    pass


@input_schema("data", NumpyParameterType(np.array([[0.0, 0.0, 0.0]])))
@output_schema(NumpyParameterType(np.array([0])))
def run(data):
    return (data.sum(axis=1) > 0).astype(int).tolist()
