"""A scoring script as data scientists write it: one input called `data`, a data frame; a list of predictions comes back."""

import model
import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    model.init()


@input_schema("data", PandasParameterType(model.sample()))
@output_schema(NumpyParameterType(np.array([0])))
def run(data):
    return model.predict(data).tolist()
