//! What the endpoint says of itself, as the inference server generates it: Swagger 2.0, OpenAPI 3.0.3 and 3.1.0.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tamis_frame::signature::Class;
use tamis_frame::{Column, Function, Signature, Type};

use super::{Envelope, RowForm};

/// The documents, written once.
#[derive(Debug)]
pub(super) struct Documents {
    two: Bytes,
    three: Bytes,
    three_one: Bytes,
}

impl Documents {
    pub(super) fn new(signature: &Signature, function: &Function, envelope: Envelope, rows: RowForm) -> Self {
        let schemas = json!({
            "ServiceInput": input(&signature.columns, envelope, rows),
            "ServiceOutput": output(signature, function, envelope),
            "ErrorResponse": { "type": "object", "properties": { "message": { "type": "string" } } },
        });
        let info = json!({
            "title": signature.model.name,
            "description": format!("API specification for the Azure Machine Learning service {}", signature.model.name),
            "version": signature.model.version,
        });
        let bytes = |document: Value| Bytes::from(document.to_string());
        Self {
            two: bytes(version_2(&info, &schemas)),
            three: bytes(version_3("3.0.3", &info, &schemas)),
            three_one: bytes(version_3("3.1.0", &info, &schemas)),
        }
    }

    /// The document of a version, as it is asked for in the query.
    pub(super) fn version(&self, version: &str) -> Result<&Bytes, String> {
        match version {
            "2" | "2.0" => Ok(&self.two),
            "3" | "3.0" => Ok(&self.three),
            "3.1" => Ok(&self.three_one),
            _ => Err(format!("Swagger version [{version}] is not valid. Supported versions: [2, 3, 3.1].")),
        }
    }
}

fn input(columns: &[Column], envelope: Envelope, rows: RowForm) -> Value {
    let (items, example, format) = match rows {
        RowForm::Records => {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            let properties: Map<String, Value> = columns.iter().map(|column| (column.name.clone(), type_of(column.ty))).collect();
            let example: Map<String, Value> = columns.iter().map(|column| (column.name.clone(), example(column))).collect();
            (json!({ "type": "object", "required": names, "properties": properties }), Value::Object(example), "pandas.DataFrame:records")
        }
        RowForm::Arrays => {
            let ty = common(columns);
            let value = zero(ty);
            (json!({ "type": "array", "items": type_of(ty) }), Value::Array(vec![value; columns.len()]), "numpy.ndarray")
        }
    };
    let table = json!({ "type": "array", "items": items, "format": format });
    match envelope {
        Envelope::Data => json!({ "type": "object", "properties": { "data": table }, "example": { "data": [example] } }),
        Envelope::Inputs => json!({
            "type": "object",
            "properties": {
                "Inputs": { "type": "object", "required": ["WebServiceInput0"], "properties": { "WebServiceInput0": table } },
                "GlobalParameters": { "type": "object", "required": [], "properties": {} },
            },
            "example": { "Inputs": { "WebServiceInput0": [example] }, "GlobalParameters": {} },
        }),
    }
}

fn output(signature: &Signature, function: &Function, envelope: Envelope) -> Value {
    let items = if function.json { json!({ "type": "object" }) } else { type_of(function.returns) };
    let example = match signature.classes.first() {
        _ if function.json => json!([{}]),
        Some(Class::Text(class)) if function.returns == Type::Text => json!([class]),
        _ => json!([zero(function.returns)]),
    };
    let mut results = json!({ "type": "array", "items": items, "format": "numpy.ndarray" });
    match envelope {
        Envelope::Data => {
            results["example"] = example;
            results
        }
        Envelope::Inputs => {
            json!({ "type": "object", "required": ["Results"], "properties": { "Results": results }, "example": { "Results": example } })
        }
    }
}

fn type_of(ty: Type) -> Value {
    match ty {
        Type::Float => json!({ "type": "number", "format": "double" }),
        Type::BigInt => json!({ "type": "integer", "format": "int64" }),
        Type::Text => json!({ "type": "string" }),
        Type::Bit => json!({ "type": "boolean" }),
    }
}

fn zero(ty: Type) -> Value {
    match ty {
        Type::Float => json!(0.0),
        Type::BigInt => json!(0),
        Type::Text => json!(""),
        Type::Bit => json!(false),
    }
}

/// The first category that the model learned, or nothing of the type.
fn example(column: &Column) -> Value {
    column.categories.first().map_or_else(|| zero(column.ty), |known| json!(known))
}

/// The type of a matrix with these columns.
fn common(columns: &[Column]) -> Type {
    let mut types = columns.iter().map(|column| column.ty);
    let first = types.next().unwrap_or(Type::Float);
    types.fold(first, |common, ty| match (common, ty) {
        (left, right) if left == right => left,
        (Type::Text, _) | (_, Type::Text) => Type::Text,
        (Type::Float, _) | (_, Type::Float) => Type::Float,
        _ => Type::BigInt,
    })
}

const HEALTH: &str = "Simple health check endpoint to ensure the service is up at any given point.";
const HEALTHY: &str = "If service is up and running, this response will be returned with the content 'Healthy'";
const RUN: &str = "Run web service's model and get the prediction output";
const PAYLOAD: &str = "The input payload for executing the real-time machine learning service.";
const RESULT: &str = "The service processed the input correctly and provided a result prediction, if applicable.";
const ERROR: &str = "The service failed to execute due to an error.";
const SPEC: &str = "Get the Swagger specification.";
const THE_SPEC: &str = "The Swagger specification.";

fn security() -> Value {
    json!({ "Bearer": { "type": "apiKey", "name": "Authorization", "in": "header", "description": "For example: Bearer abc123" } })
}

fn version_2(info: &Value, schemas: &Value) -> Value {
    let of = |name: &str| json!({ "$ref": format!("#/definitions/{name}") });
    let error = json!({ "description": ERROR, "schema": of("ErrorResponse") });
    let text = json!({ "type": "string" });
    json!({
        "swagger": "2.0",
        "info": info,
        "schemes": ["https"],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": security(),
        "paths": {
            "/": { "get": {
                "operationId": "ServiceHealthCheck",
                "description": HEALTH,
                "responses": {
                    "200": { "description": HEALTHY, "schema": text, "examples": { "application/json": "Healthy" } },
                    "default": error,
                },
            } },
            "/score": { "post": {
                "operationId": "RunMLService",
                "description": RUN,
                "security": [{ "Bearer": [] }],
                "parameters": [{ "name": "serviceInputPayload", "in": "body", "description": PAYLOAD, "schema": of("ServiceInput") }],
                "responses": { "200": { "description": RESULT, "schema": of("ServiceOutput") }, "default": error },
            } },
            "/swagger.json": { "get": {
                "operationId": "GetSwaggerSpec",
                "description": SPEC,
                "parameters": [{ "name": "version", "in": "query", "required": false, "type": "integer", "enum": [2, 3] }],
                "responses": { "200": { "description": THE_SPEC, "schema": text }, "default": error },
            } },
        },
        "definitions": schemas,
    })
}

fn version_3(version: &str, info: &Value, schemas: &Value) -> Value {
    let json_of = |name: &str| json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{name}") } } });
    let error = json!({ "description": ERROR, "content": json_of("ErrorResponse") });
    json!({
        "openapi": version,
        "info": info,
        "security": [{ "Bearer": [] }],
        "paths": {
            "/": { "get": {
                "operationId": "ServiceHealthCheck",
                "description": HEALTH,
                "responses": {
                    "200": { "description": HEALTHY, "content": { "text/plain": { "schema": { "type": "string", "example": "Healthy" } } } },
                    "default": error,
                },
            } },
            "/score": { "post": {
                "operationId": "RunMLService",
                "description": RUN,
                "security": [{ "Bearer": [] }],
                "requestBody": { "description": PAYLOAD, "content": json_of("ServiceInput") },
                "responses": { "200": { "description": RESULT, "content": json_of("ServiceOutput") }, "default": error },
            } },
            "/swagger.json": { "get": {
                "operationId": "GetSwaggerSpec",
                "description": SPEC,
                "parameters": [{ "name": "version", "in": "query", "required": false, "schema": { "type": "integer", "enum": [2, 3] } }],
                "responses": {
                    "200": { "description": THE_SPEC, "content": { "text/plain": { "schema": { "type": "string" } } } },
                    "default": error,
                },
            } },
        },
        "components": { "schemas": schemas, "securitySchemes": security() },
    })
}
