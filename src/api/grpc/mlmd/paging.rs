//! Options of lists, and the page tokens that clients send back.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use prost::Message;

use crate::api::call::Call;
use crate::error::{Error, Result};
use crate::graph::ListOptions;
use crate::model::{OrderBy, PagePosition};
use crate::proto::ml_metadata::list_operation_options::order_by_field::Field;
use crate::proto::ml_metadata::{ListOperationNextPageToken as Token, ListOperationOptions};

/// More nodes per page than this count as this many.
const MAX_PAGE_SIZE: i32 = 100;

/// Tokens are sent without padding and accepted with and without it.
const TOKEN_ENCODING: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl TryFrom<&ListOperationOptions> for ListOptions {
    type Error = Error;

    fn try_from(given: &ListOperationOptions) -> Result<Self> {
        let page_size = page_size(given)?;
        let token = token(given)?;
        let order_by = match order(given).0 {
            Field::Id => OrderBy::Id,
            Field::CreateTime => OrderBy::CreateTime,
            Field::LastUpdateTime => OrderBy::UpdateTime,
            Field::Unspecified => {
                return Err(Error::invalid(
                    "Unsupported field: FIELD_UNSPECIFIED specified in ListOperationOptions",
                ));
            }
        };
        Ok(Self {
            page_size,
            order_by,
            ascending: order(given).1,
            after: token.map(|token| position(token, order_by)),
            filter: given.filter_query.clone(),
        })
    }
}

/// What separates a token from the mark of its graph. No token has it in itself.
const MARK_SEPARATOR: char = '~';

/// The options of a list in the graph of a call. A token of the default tenant's graph has the
/// format of upstream's server; one of another graph ends with the graph's mark.
///
/// # Errors
///
/// `InvalidArgument` for options that cannot be used, and for a token of another graph.
pub(super) fn list_options(call: &Call, given: &ListOperationOptions) -> Result<ListOptions> {
    let text = given.next_page_token();
    let (token, mark) = match text.rsplit_once(MARK_SEPARATOR) {
        Some((token, mark)) => (token, Some(mark)),
        None => (text, None),
    };
    if text.is_empty() || mark.is_none() && call.page_mark.is_none() {
        return given.try_into();
    }
    if mark != call.page_mark.as_deref() {
        return Err(Error::invalid("the page token is not one of this database"));
    }
    let mut unmarked = given.clone();
    unmarked.next_page_token = Some(token.to_owned());
    (&unmarked).try_into()
}

/// The token of the page that begins behind this position, in the graph of a call.
pub(super) fn page_token(call: &Call, given: &ListOperationOptions, end: PagePosition) -> String {
    let mut token = next_page_token(given, end);
    if let Some(mark) = &call.page_mark {
        token.push(MARK_SEPARATOR);
        token.push_str(mark);
    }
    token
}

fn page_size(given: &ListOperationOptions) -> Result<usize> {
    let size = given.max_result_size();
    match usize::try_from(size.min(MAX_PAGE_SIZE)) {
        Ok(page_size) if page_size > 0 => Ok(page_size),
        _ => Err(Error::invalid(format!(
            "max_result_size field value is required to be greater than 0 and less than or equal to {MAX_PAGE_SIZE}. Set value:{size}"
        ))),
    }
}

/// The field that orders the list, and whether it ascends. A number that the enum does not declare
/// counts as unset.
fn order(given: &ListOperationOptions) -> (Field, bool) {
    let order = given.order_by_field.unwrap_or_default();
    (order.field(), order.is_asc())
}

/// The token of the page before, if there is one.
fn token(given: &ListOperationOptions) -> Result<Option<Token>> {
    let text = given.next_page_token();
    if text.is_empty() {
        return Ok(None);
    }
    let bytes = TOKEN_ENCODING
        .decode(text)
        .map_err(|_| Error::invalid("Failed to decode next page token string"))?;
    let token = Token::decode(bytes.as_slice()).map_err(|_| {
        Error::invalid(
            "Failed to parse decoded next page token into ListOperationNextPageToken proto message",
        )
    })?;
    let first = token.set_options.clone().unwrap_or_default();
    if order(&first) != order(given) {
        return Err(Error::invalid(
            "ListOperationOptions mismatch between calls Initial Options: the order of the list must stay the same",
        ));
    }
    if order(given).0 == Field::LastUpdateTime && token.listed_ids.is_empty() {
        return Err(Error::invalid(
            "Invalid NextPageToken in List Operation. listed_ids field should not be empty.",
        ));
    }
    Ok(Some(token))
}

fn position(token: Token, order_by: OrderBy) -> PagePosition {
    let (time, id) = (token.field_offset(), token.id_offset());
    match order_by {
        OrderBy::Id => PagePosition::Id(token.field_offset()),
        OrderBy::CreateTime => PagePosition::CreateTime { time, id },
        OrderBy::UpdateTime => PagePosition::UpdateTime {
            time,
            listed_ids: token.listed_ids,
        },
    }
}

/// The token of the page that begins behind this position.
fn next_page_token(given: &ListOperationOptions, end: PagePosition) -> String {
    let (id_offset, field_offset, listed_ids) = match end {
        PagePosition::Id(id) => (Some(id), id, Vec::new()),
        PagePosition::CreateTime { time, id } => (Some(id), time, Vec::new()),
        PagePosition::UpdateTime { time, listed_ids } => (None, time, listed_ids),
    };
    let mut options = given.clone();
    options.next_page_token = None;
    if let Some(order) = &mut options.order_by_field {
        order.field = order.field.filter(|field| Field::try_from(*field).is_ok());
    }
    let token = Token {
        id_offset,
        field_offset: Some(field_offset),
        set_options: Some(options),
        listed_ids,
    };
    TOKEN_ENCODING.encode(token.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proto::ml_metadata::list_operation_options::OrderByField;

    fn options(size: Option<i32>) -> ListOperationOptions {
        ListOperationOptions {
            max_result_size: size,
            ..ListOperationOptions::default()
        }
    }

    fn with_token(text: &str) -> ListOperationOptions {
        ListOperationOptions {
            next_page_token: Some(text.to_owned()),
            ..ListOperationOptions::default()
        }
    }

    /// Texts that upstream's server gives for these pages.
    #[test]
    fn k12_golden_tokens() {
        let token = |last, options| next_page_token(&options, PagePosition::Id(last));
        assert_eq!(token(3, options(Some(3))), "CAMQAxoCCAM");
        assert_eq!(token(6, options(Some(3))), "CAYQBhoCCAM");
        let descending = ListOperationOptions {
            order_by_field: Some(OrderByField {
                field: None,
                is_asc: Some(false),
            }),
            ..options(Some(3))
        };
        assert_eq!(token(5, descending), "CAUQBRoGCAMSAhAA");
        assert_eq!(token(20, options(None)), "CBQQFBoA");
    }

    #[test]
    fn k12_padding_is_accepted_and_noise_is_not() {
        assert!(token(&with_token("CBQQFBoA")).unwrap().is_some());
        assert!(token(&with_token("CAMQAxoCCAM=")).unwrap().is_some());
        assert!(token(&with_token("")).unwrap().is_none());
        for noise in ["!!!", "AAAA", "\u{e9}"] {
            let refused = token(&with_token(noise));
            assert!(matches!(refused, Err(Error::InvalidArgument(_))), "{noise}");
        }
    }

    #[test]
    fn positions_survive_a_token() {
        let order = |field: Field| ListOperationOptions {
            order_by_field: Some(OrderByField {
                field: Some(field.into()),
                is_asc: Some(false),
            }),
            ..ListOperationOptions::default()
        };
        let by_create_time = PagePosition::CreateTime { time: 7, id: 3 };
        let by_update_time = PagePosition::UpdateTime {
            time: 7,
            listed_ids: vec![4, 3],
        };
        for (field, end) in [
            (Field::Id, PagePosition::Id(3)),
            (Field::CreateTime, by_create_time),
            (Field::LastUpdateTime, by_update_time),
        ] {
            let mut options = order(field);
            options.next_page_token = Some(next_page_token(&options, end.clone()));
            assert_eq!(ListOptions::try_from(&options).unwrap().after, Some(end));
        }
    }

    proptest! {
        #[test]
        fn any_token_text_is_read_or_refused(text in ".*") {
            let _ = token(&with_token(&text));
        }
    }
}
