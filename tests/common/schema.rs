//! A checker for those words of JSON Schema that `trace.schema.json` uses. A word that it does
//! not know is an error: no rule goes unchecked.
#![allow(dead_code)]

use serde_json::Value;

/// What is wrong with `value`, if anything.
pub fn check(schema: &Value, value: &Value) -> Result<(), String> {
    within(schema, schema, value)
}

fn within(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let rules = schema.as_object().ok_or("a schema is an object")?;
    for (word, rule) in rules {
        let is_well = match &**word {
            "$schema" | "$defs" | "title" | "description" => true,
            "$ref" => {
                let path = rule.as_str().and_then(|path| path.strip_prefix('#')).ok_or("$ref")?;
                within(root, root.pointer(path).ok_or("$ref leads nowhere")?, value)?;
                true
            }
            "type" => match rule {
                Value::Array(kinds) => kinds.iter().any(|kind| is_of(kind, value)),
                kind => is_of(kind, value),
            },
            "const" => rule == value,
            "enum" => rule.as_array().is_some_and(|values| values.contains(value)),
            "minimum" => value.as_i64() >= rule.as_i64(),
            "minItems" => value.as_array().is_none_or(|list| list.len() as u64 >= number(rule)),
            "maxItems" => value.as_array().is_none_or(|list| list.len() as u64 <= number(rule)),
            "required" => {
                let names = rule.as_array().ok_or("required")?;
                names.iter().all(|name| value.get(name.as_str().unwrap_or("")).is_some())
            }
            "items" => {
                let list = value.as_array().into_iter().flatten();
                list.map(|item| within(root, rule, item)).collect::<Result<Vec<_>, _>>()?;
                true
            }
            "properties" => {
                for (name, rule) in rule.as_object().ok_or("properties")? {
                    value.get(name).map_or(Ok(()), |value| within(root, rule, value))?;
                }
                true
            }
            "patternProperties" | "additionalProperties" => {
                others(root, rules, value)?;
                true
            }
            "oneOf" => {
                let schemas = rule.as_array().ok_or("oneOf")?;
                let tried: Vec<_> = schemas.iter().map(|s| within(root, s, value)).collect();
                if tried.iter().filter(|tried| tried.is_ok()).count() != 1 {
                    return Err(format!("not one of: {tried:?}"));
                }
                true
            }
            other => return Err(format!("a word that the checker does not know: {other}")),
        };
        if !is_well {
            return Err(format!("{word}: {rule} does not hold for {value}"));
        }
    }
    Ok(())
}

fn number(rule: &Value) -> u64 {
    rule.as_u64().expect("a number")
}

/// The properties that `properties` does not name.
fn others(
    root: &Value,
    rules: &serde_json::Map<String, Value>,
    value: &Value,
) -> Result<(), String> {
    let Some(value) = value.as_object() else { return Ok(()) };
    for (name, inner) in value {
        if rules.get("properties").is_some_and(|named| named.get(name).is_some()) {
            continue;
        }
        let patterns = rules.get("patternProperties").and_then(Value::as_object);
        let fits = patterns.into_iter().flatten().find(|(pattern, _)| matches(pattern, name));
        match (fits, rules.get("additionalProperties")) {
            (None, Some(Value::Bool(false))) => return Err(format!("{name}: nothing allows it")),
            (Some((_, rule)), _) | (None, Some(rule)) => within(root, rule, inner)?,
            (None, None) => {}
        }
    }
    Ok(())
}

/// Patterns of two shapes: `^(a|b)$`, and `^(a|b)[.].+$`.
fn matches(pattern: &str, name: &str) -> bool {
    let inside = pattern.strip_prefix("^(").expect("a pattern of a known shape");
    let (words, rest) = inside.split_once(')').expect("a pattern of a known shape");
    let fits = |word: &str| match rest {
        "$" => name == word,
        "[.].+$" => {
            name.strip_prefix(word).is_some_and(|rest| rest.len() > 1 && rest.starts_with('.'))
        }
        other => panic!("{other}"),
    };
    words.split('|').any(fits)
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        other => panic!("type {other}"),
    }
}
