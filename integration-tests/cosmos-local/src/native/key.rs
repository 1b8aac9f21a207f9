// SPDX-License-Identifier: Apache-2.0

//! Partition key values as they come in headers and in documents.

use azure_data_cosmos_driver::models::{PartitionKeyDefinition, PartitionKeyValue};
use serde_json::Value;

use super::document::Document;

/// The values of a partition key with their JSON, as the write log shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValues {
    /// One value for each path, or fewer for a prefix.
    pub values: Vec<PartitionKeyValue>,
    /// The same as a JSON array; an absent value is `{}`.
    pub json: String,
}

impl KeyValues {
    /// Reads the header `x-ms-documentdb-partitionkey`; an empty array stands for no key at all.
    pub fn from_header(header: &str) -> Result<Option<Self>, String> {
        let header = header.trim();
        if header.is_empty() {
            return Ok(None);
        }
        let parsed: Value =
            serde_json::from_str(header).map_err(|error| format!("the partition key header is no JSON: {error}"))?;
        let Value::Array(values) = parsed else {
            return Err("the partition key header must be a JSON array".to_owned());
        };
        if values.is_empty() {
            return Ok(None);
        }
        Self::from_json(&values).map(Some)
    }

    /// Takes the values from a document, `undefined` where a path leads nowhere.
    pub fn from_document(document: &Document<'_>, definition: &PartitionKeyDefinition) -> Result<Self, String> {
        let mut values = Vec::with_capacity(definition.paths().len());
        for path in definition.paths() {
            values.push(value_at(document, path)?);
        }
        Self::from_json(&values)
    }

    fn from_json(values: &[Value]) -> Result<Self, String> {
        let components = values.iter().map(component).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            values: components,
            json: Value::Array(values.to_vec()).to_string(),
        })
    }
}

fn component(value: &Value) -> Result<PartitionKeyValue, String> {
    match value {
        Value::Null => Ok(PartitionKeyValue::NULL),
        Value::Bool(flag) => Ok(PartitionKeyValue::from(*flag)),
        Value::String(text) => Ok(PartitionKeyValue::from(text.clone())),
        Value::Number(number) => number
            .as_f64()
            .and_then(|number| PartitionKeyValue::try_from(number).ok())
            .ok_or_else(|| format!("{number} is no finite number")),
        Value::Object(object) if object.is_empty() => Ok(PartitionKeyValue::UNDEFINED),
        other => Err(format!("{other} cannot be a partition key value")),
    }
}

fn value_at(document: &Document<'_>, path: &str) -> Result<Value, String> {
    let absent = || Value::Object(serde_json::Map::new());
    let names = path_names(path)?;
    let Some((first, rest)) = names.split_first() else {
        return Err(format!("{path} is no partition key path"));
    };
    let Some(mut value) = document.value(first) else {
        return Ok(absent());
    };
    for name in rest {
        let Value::Object(mut object) = value else {
            return Err(format!(
                "the partition key path {path} leads through a value that is no object"
            ));
        };
        match object.remove(name.as_str()) {
            Some(inner) => value = inner,
            None => return Ok(absent()),
        }
    }
    Ok(value)
}

/// The property names of a path such as `/a/b` or `/"a/b"/c`.
pub fn path_names(path: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let Some(after) = rest.strip_prefix('/') else {
            return Err(format!("the partition key path {path} must begin with /"));
        };
        match after.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let (name, tail) =
                    quoted(&after[1..], quote).ok_or_else(|| format!("the partition key path {path} lacks a quote"))?;
                if !tail.is_empty() && !tail.starts_with('/') {
                    return Err(format!("the partition key path {path} goes on after a quote"));
                }
                names.push(name);
                rest = tail;
            }
            _ => {
                let end = after.find('/').unwrap_or(after.len());
                names.push(after[..end].to_owned());
                rest = &after[end..];
            }
        }
    }
    Ok(names)
}

fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            '\\' if !escaped => escaped = true,
            found if found == quote && !escaped => return Some((name, &text[at + 1..])),
            other => {
                if escaped && other != quote {
                    name.push('\\');
                }
                name.push(other);
                escaped = false;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(body: &str, paths: &[&'static str]) -> Result<KeyValues, String> {
        let definition = PartitionKeyDefinition::new(paths.iter().map(|path| (*path).into()).collect());
        KeyValues::from_document(&Document::parse(body.as_bytes()).unwrap(), &definition)
    }

    #[test]
    fn header_and_document_agree() {
        for value in ["42", "1.5", "-7", "1e10", "\"a\"", "true", "null"] {
            let header = KeyValues::from_header(&format!("[{value}]")).unwrap().unwrap();
            let body = key(&format!("{{\"id\":\"1\",\"pk\":{value}}}"), &["/pk"]).unwrap();
            assert_eq!(header.values, body.values, "{value}");
        }
    }

    #[test]
    fn absent_values_are_undefined_and_objects_are_refused() {
        let absent = key("{\"id\":\"1\"}", &["/pk"]).unwrap();
        assert_eq!(absent.values, [PartitionKeyValue::UNDEFINED]);
        assert_eq!(absent.json, "[{}]");
        assert!(key("{\"id\":\"1\",\"pk\":{\"a\":1}}", &["/pk"]).is_err());
        assert!(key("{\"id\":\"1\",\"a\":1}", &["/a/b"]).is_err());
        assert!(KeyValues::from_header("nonsense").is_err());
        assert!(KeyValues::from_header("[]").unwrap().is_none());
    }

    #[test]
    fn paths_may_be_nested_and_quoted() {
        let nested = key("{\"id\":\"1\",\"a\":{\"b\":\"x\"}}", &["/a/b"]).unwrap();
        assert_eq!(nested.json, "[\"x\"]");
        let quoted = key("{\"id\":\"1\",\"a/b\":\"x\"}", &["/\"a/b\""]).unwrap();
        assert_eq!(quoted.json, "[\"x\"]");
        assert!(path_names("/\"a").is_err());
        assert!(path_names("a").is_err());
    }
}
