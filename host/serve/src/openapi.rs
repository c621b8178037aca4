//! The `OpenAPI` document: paths and responses from the handlers, schemas from the types that are sent and stored.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use taster_model::DocumentKind;
use taster_model::VERSION;
use utoipa::openapi::{InfoBuilder, OpenApiBuilder, tag::TagBuilder};

use crate::{extract, health, response, routes, runs};

/// Where the document keeps its types.
const SCHEMAS: &str = "#/components/schemas/";

const ABOUT: &str = "Results that Taster stored of the runs of each app. The API only reads.\n\n\
    Every error, on any path, is an `ErrorResponse`: its `verdict` is `unknown`, its `error` has a stable code, a message \
    and what to do. The status is 404 for a path that is not listed here, and 405 with `Allow` for a method that is not. \
    HEAD is supported wherever GET is.";

/// The document, as it is served at `/openapi.json`.
#[must_use]
pub fn document() -> Value {
    let tags = [
        ("webhook", "Gates a deployment: the status of the response is the verdict"),
        ("results", "Apps, runs and verdicts, for programs"),
        ("operation", "Health, metrics and this document"),
    ];
    let tags = tags.map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build());
    let info = InfoBuilder::new().title("Taster").version(VERSION).description(Some(ABOUT)).build();
    let empty = OpenApiBuilder::new().info(info).tags(Some(tags)).build();
    let (_, api) = utoipa_axum::router::OpenApiRouter::with_openapi(empty)
        .merge(routes::public_routes())
        .merge(routes::protected_routes())
        .split_for_parts();
    let mut document = serde_json::to_value(&api).unwrap_or_default();
    document["components"] = json!({
        "schemas": schemas(),
        "responses": responses(),
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "description": "A token from a --token-file."},
            "basic": {"type": "http", "scheme": "basic", "description": "The token as the password; any user name."},
        },
    });
    document["security"] = json!([{"bearer": []}, {"basic": []}]);
    let Some(paths) = document["paths"].as_object_mut() else { return document };
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(|path| path.values_mut()) {
        complete(operation);
    }
    document
}

/// Errors that every operation can return: status, name, description.
const ERRORS: [(&str, &str, &str); 9] = [
    ("400", "Bad", "The request is malformed: an invalid name, or a parameter that is unknown or given twice."),
    ("401", "Unauthorised", "The bearer token is missing or invalid."),
    ("413", "TooLarge", "The body has more than 64 KiB."),
    ("414", "TooLong", "The address has more than 8 KiB."),
    ("415", "WrongType", "The body is neither JSON nor a form."),
    ("421", "Misdirected", "The server requires no token, and the request is for another host."),
    ("431", "LongHeaders", "The headers have more than 32 KiB. Past 64 KiB the body is empty."),
    ("500", "Panicked", "Internal error. Report it."),
    ("503", "Unavailable", "The store cannot be reached, or there are too many requests: retry."),
];

fn responses() -> Value {
    let of = |(status, name, description): &(&str, &str, &str)| {
        let schema = json!({"$ref": format!("{SCHEMAS}ErrorResponse")});
        let mut response = json!({"description": description, "content": {"application/json": {"schema": schema}}});
        let text = json!({"type": "string"});
        match *status {
            "401" => response["headers"] = json!({"WWW-Authenticate": {"schema": text, "required": true}}),
            "503" => response["headers"] = json!({"Retry-After": {"schema": text, "required": true}}),
            _ => {}
        }
        ((*name).to_owned(), response)
    };
    ERRORS.iter().map(of).collect::<Map<_, _>>().into()
}

/// Adds to an operation what all operations share.
fn complete(operation: &mut Value) {
    let is_open = operation.get("security").is_some();
    if is_open {
        operation["security"] = json!([]);
    }
    let has_body = operation.get("requestBody").is_some();
    if has_body {
        operation["requestBody"]["required"] = false.into();
    }
    let has_input = has_body || operation.get("parameters").is_some();
    for (status, name, _) in &ERRORS {
        let applies = match *status {
            "400" => has_input,
            "401" => !is_open,
            "413" | "415" => has_body,
            _ => true,
        };
        if applies {
            operation["responses"][status] = json!({"$ref": format!("#/components/responses/{name}")});
        }
    }
    // the status determines the verdict
    if operation["tags"] == json!(["webhook"]) {
        for (status, verdict) in [("200", "same"), ("404", "different"), ("409", "unknown")] {
            let schema = &mut operation["responses"][status]["content"]["application/json"]["schema"];
            *schema = json!({"allOf": [schema.take(), {"properties": {"verdict": {"const": verdict}}}]});
        }
    }
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default();
        let schema = match name {
            "app" => json!({"$ref": format!("{SCHEMAS}AppName")}),
            "run" | "after" => json!({"$ref": format!("{SCHEMAS}RunId")}),
            // an absent parameter has a default; an empty one is an error
            _ => json!({"type": "integer", "minimum": 1, "maximum": runs::MAX_PAGE, "default": runs::PAGE}),
        };
        parameter["schema"] = schema;
    }
}

/// Every type of a response, by name.
fn schemas() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = SCHEMAS[1..].into());
    let mut generator = settings.into_generator();
    generator.subschema_for::<response::VerdictResponse>();
    generator.subschema_for::<response::ErrorResponse>();
    generator.subschema_for::<extract::RunSelector>();
    generator.subschema_for::<health::Health>();
    generator.subschema_for::<runs::Apps>();
    generator.subschema_for::<runs::Runs>();
    generator.subschema_for::<runs::RunDetail>();
    let mut schemas = generator.take_definitions(true);
    // stored documents as they are published
    let mut verdict = taster_model::json_schema(DocumentKind::Verdict);
    here(&mut verdict);
    if let Some(parts) = verdict.as_object_mut() {
        // the schema is now a part of this document
        parts.retain(|key, _| key != "$schema" && key != "$id");
        if let Some(Value::Object(definitions)) = parts.remove("$defs") {
            schemas.extend(definitions);
        }
    }
    schemas.insert("VerdictDocument".to_owned(), verdict);
    schemas
}

/// Changes the references of a separate schema to the place where this document keeps its types.
fn here(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(target) if key == "$ref" => *target = target.replace("#/$defs/", SCHEMAS),
                    value => here(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(here),
        _ => {}
    }
}
