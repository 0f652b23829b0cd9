"""The same with the designer's envelope: `Inputs` with `WebServiceInput0`, and `Results`."""

import model
import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    model.init()


@input_schema("Inputs", StandardPythonParameterType({"WebServiceInput0": PandasParameterType(model.sample())}))
@input_schema("GlobalParameters", StandardPythonParameterType({}))
@output_schema(StandardPythonParameterType({"Results": NumpyParameterType(np.array([0]))}))
def run(Inputs, GlobalParameters):  # noqa: N803
    return {"Results": model.predict(Inputs["WebServiceInput0"]).tolist()}
