//! Commitments: SHA-256 of a random salt and a value. Without the salt, a commitment does not show
//! the value. No other value with the same commitment can be found.

use std::fmt::Write;

use aws_lc_rs::digest::{Context, SHA256};
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value as StructValue};

use crate::model::Value;

/// The length of a salt, in bytes.
const SALT_BYTES: usize = 16;

/// The salt of a field of a record, from the seed of the row in which the record has this place.
/// The name of the field is one such as `uri`, `p/PROPERTY` or `c/CUSTOM_PROPERTY`.
#[must_use]
pub fn salt(seed: &[u8], record: u32, field: &str) -> Vec<u8> {
    let parts = [seed, &record.to_be_bytes(), field.as_bytes()];
    sha256(&parts)[..SALT_BYTES].to_vec()
}

/// The commitment to canonical bytes.
#[must_use]
pub fn commitment(salt: &[u8], canonical: &[u8]) -> Vec<u8> {
    sha256(&[salt, canonical])
}

fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

/// The one form of a value in bytes, whichever way it is stored: a letter for its type, and the
/// text, the number, or JSON as in RFC 8785. Numbers that JSON lacks are the texts of protocol
/// buffers' JSON, `NaN` and `Infinity`.
#[must_use]
pub fn canonical(value: &Value) -> Vec<u8> {
    match value {
        Value::Int(number) => format!("i{number}").into_bytes(),
        Value::Double(number) => format!("d{:016x}", number.to_bits()).into_bytes(),
        Value::String(text) => format!("s{text}").into_bytes(),
        Value::Struct(given) => {
            let mut json = "j".to_owned();
            push_struct(&mut json, given);
            json.into_bytes()
        }
        Value::Proto(any) => [b"p", any.type_url.as_bytes(), b"\0", &any.value].concat(),
        Value::Bool(is_true) => format!("b{}", u8::from(*is_true)).into_bytes(),
        Value::Empty => b"n".to_vec(),
    }
}

fn push_struct(json: &mut String, given: &Struct) {
    let mut fields: Vec<_> = given.fields.iter().collect();
    fields.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
    json.push('{');
    for (place, (name, value)) in fields.into_iter().enumerate() {
        json.push_str(if place == 0 { "" } else { "," });
        push_text(json, name);
        json.push(':');
        push_value(json, value);
    }
    json.push('}');
}

fn push_value(json: &mut String, value: &StructValue) {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => json.push_str("null"),
        Some(Kind::BoolValue(is_true)) => json.push_str(if *is_true { "true" } else { "false" }),
        Some(Kind::NumberValue(number)) => push_number(json, *number),
        Some(Kind::StringValue(text)) => push_text(json, text),
        Some(Kind::StructValue(given)) => push_struct(json, given),
        Some(Kind::ListValue(ListValue { values })) => {
            json.push('[');
            for (place, value) in values.iter().enumerate() {
                json.push_str(if place == 0 { "" } else { "," });
                push_value(json, value);
            }
            json.push(']');
        }
    }
}

fn push_text(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\u{8}' => json.push_str("\\b"),
            '\t' => json.push_str("\\t"),
            '\n' => json.push_str("\\n"),
            '\u{c}' => json.push_str("\\f"),
            '\r' => json.push_str("\\r"),
            '\0'..'\u{20}' => _ = write!(json, "\\u{:04x}", u32::from(character)),
            other => json.push(other),
        }
    }
    json.push('"');
}

/// A number as `Number.prototype.toString` of ECMAScript writes it: the fewest digits that are read
/// back as the number, and an exponent from 10²¹ on and below 10⁻⁶.
fn push_number(json: &mut String, number: f64) {
    if !number.is_finite() {
        let text = match number {
            f64::INFINITY => "Infinity",
            f64::NEG_INFINITY => "-Infinity",
            _ => "NaN",
        };
        return push_text(json, text);
    }
    if number == 0.0 {
        return json.push('0');
    }
    if number < 0.0 {
        json.push('-');
    }
    let scientific = format!("{:e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or_default());
    let last = i32::try_from(digits.len()).unwrap_or_default() - 1;
    let (first, others) = digits.split_at(1);
    let _ = match exponent {
        21.. | ..=-7 => {
            let point = if others.is_empty() { "" } else { "." };
            write!(json, "{first}{point}{others}e{exponent:+}")
        }
        ..0 => write!(json, "0.{}{digits}", zeros(-exponent - 1)),
        _ if exponent >= last => write!(json, "{digits}{}", zeros(exponent - last)),
        _ => {
            let (whole, fraction) = digits.split_at(usize::try_from(exponent + 1).unwrap_or(1));
            write!(json, "{whole}.{fraction}")
        }
    };
}

#[cfg(test)]
mod tests {
    use prost_types::Any;

    use super::*;

    fn text_of(value: &Value) -> String {
        String::from_utf8(canonical(value)).unwrap()
    }

    #[test]
    fn each_value_has_one_form() {
        let any = Any {
            type_url: "t".into(),
            value: vec![1, 2],
        };
        for (value, expected) in [
            (Value::Int(-5), "i-5"),
            (Value::Double(1.0), "d3ff0000000000000"),
            (Value::String("é\n".into()), "sé\n"),
            (Value::Proto(any), "pt\0\u{1}\u{2}"),
            (Value::Bool(true), "b1"),
            (Value::Empty, "n"),
            (Value::Struct(Struct::default()), "j{}"),
        ] {
            assert_eq!(text_of(&value), expected);
        }
    }

    #[test]
    fn a_struct_is_json_as_in_rfc_8785() {
        let value = |kind| StructValue { kind: Some(kind) };
        let text = |text: &str| value(Kind::StringValue(text.to_owned()));
        let list = ListValue {
            values: vec![value(Kind::NumberValue(1.5)), value(Kind::NullValue(0))],
        };
        // The example of section 3.2.3 of RFC 8785: an emoji stands before U+FB33 in UTF-16.
        let fields = [
            ("\u{20ac}", text("Euro Sign")),
            ("\r", text("Carriage Return")),
            ("\u{fb33}", text("Hebrew Letter Dalet With Dagesh")),
            ("1", value(Kind::ListValue(list))),
            ("\u{1f600}", text("\u{7}\"\\/")),
            ("\u{80}", value(Kind::BoolValue(false))),
            ("\u{f6}", StructValue { kind: None }),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        let given = Struct {
            fields: fields.into(),
        };
        assert_eq!(
            text_of(&Value::Struct(given)),
            "j{\"\\r\":\"Carriage Return\",\"1\":[1.5,null],\"\u{80}\":false,\"\u{f6}\":null,\
             \"\u{20ac}\":\"Euro Sign\",\"\u{1f600}\":\"\\u0007\\\"\\\\/\",\
             \"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}"
        );
    }

    #[test]
    fn numbers_are_written_as_in_appendix_b_of_rfc_8785() {
        for (bits, expected) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x7ff0_0000_0000_0000, "\"Infinity\""),
            (0x7ff8_0000_0000_0000, "\"NaN\""),
        ] {
            let mut json = String::new();
            push_number(&mut json, f64::from_bits(bits));
            assert_eq!(json, expected, "{bits:x}");
        }
    }

    #[test]
    fn a_commitment_is_of_salt_and_value() {
        let salt = salt(&[7; 32], 3, "c/note");
        assert_eq!(hex::encode(&salt), "3377984de47a88cc4127be7d5ba30aee");
        let commitment = commitment(&salt, b"sx");
        assert_eq!(
            hex::encode(&commitment),
            "4aa5e98c7918a25389f964b8bc23d8addffef04b02e23d441f8c838fd3301aea"
        );
    }
}
