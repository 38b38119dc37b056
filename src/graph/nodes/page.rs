//! Lists in pages: options, order, and the token that says where the next page begins.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use prost::Message;

use crate::error::{Error, Result};
use crate::filter;
use crate::graph::{Graph, Within, glance};
use crate::model::{Kind, Node};
use crate::storage::Tx;
use crate::storage::tables::lists::{self, After, Condition, OrderBy, Page, Scope};

const DEFAULT_SIZE: i32 = 20;
const MAX_SIZE: i32 = 100;

/// Tokens travel without padding; with it they are accepted too.
const TOKEN_TEXT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a caller wants of a list, which comes in pages then.
#[derive(Clone, PartialEq, Message)]
pub struct ListOptions {
    /// 20 when unset, at most 100.
    #[prost(int32, optional, tag = "1")]
    pub max_result_size: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub order_by: Option<Order>,
    #[prost(string, optional, tag = "3")]
    pub next_page_token: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub filter_query: Option<String>,
}

/// The order of a list: by id, ascending, when nothing is set.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Order {
    #[prost(enumeration = "OrderField", optional, tag = "1")]
    pub field: Option<i32>,
    #[prost(bool, optional, tag = "2")]
    pub is_asc: Option<bool>,
}

/// The field that orders a list, with its number in requests and tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
pub enum OrderField {
    Unspecified = 0,
    CreateTime = 1,
    UpdateTime = 2,
    Id = 3,
}

impl ListOptions {
    fn is_ascending(&self) -> bool {
        self.order_by.and_then(|order| order.is_asc).unwrap_or(true)
    }

    fn field(&self) -> OrderField {
        self.order_by
            .and_then(|order| order.field)
            .and_then(|number| OrderField::try_from(number).ok())
            .unwrap_or(OrderField::Id)
    }

    fn size(&self) -> Result<i32> {
        let size = self.max_result_size.unwrap_or(DEFAULT_SIZE);
        if size <= 0 {
            return Err(Error::invalid(format!(
                "max_result_size field value is required to be greater than 0 and less than or equal to {MAX_SIZE}. Set value:{size}"
            )));
        }
        Ok(size.min(MAX_SIZE))
    }

    fn order_by(&self) -> Result<OrderBy> {
        match self.field() {
            OrderField::Id => Ok(OrderBy::Id),
            OrderField::CreateTime => Ok(OrderBy::CreateTime),
            OrderField::UpdateTime => Ok(OrderBy::UpdateTime),
            OrderField::Unspecified => Err(Error::invalid(
                "Unsupported field: FIELD_UNSPECIFIED specified in ListOperationOptions",
            )),
        }
    }

    /// The token of the page before, if there is one.
    fn token(&self) -> Result<Option<Token>> {
        let Some(text) = self
            .next_page_token
            .as_deref()
            .filter(|text| !text.is_empty())
        else {
            return Ok(None);
        };
        let bytes = TOKEN_TEXT
            .decode(text)
            .map_err(|_| Error::invalid("Failed to decode next page token string"))?;
        let token = Token::decode(bytes.as_slice()).map_err(|_| {
            Error::invalid(
                "Failed to parse decoded next page token into ListOperationNextPageToken proto message",
            )
        })?;
        let first = token.set_options.clone().unwrap_or_default();
        if (first.field(), first.is_ascending()) != (self.field(), self.is_ascending()) {
            return Err(Error::invalid(
                "ListOperationOptions mismatch between calls Initial Options: the order of the list must stay the same",
            ));
        }
        if self.field() == OrderField::UpdateTime && token.listed_ids.is_empty() {
            return Err(Error::invalid(
                "Invalid NextPageToken in List Operation. listed_ids field should not be empty.",
            ));
        }
        Ok(Some(token))
    }
}

/// Where the next page begins. Upstream's servers write and read the same message.
#[derive(Clone, PartialEq, Message)]
struct Token {
    #[prost(int64, optional, tag = "1")]
    id_offset: Option<i64>,
    #[prost(int64, optional, tag = "2")]
    field_offset: Option<i64>,
    #[prost(message, optional, tag = "3")]
    set_options: Option<ListOptions>,
    #[prost(int64, repeated, packed = "false", tag = "4")]
    listed_ids: Vec<i64>,
}

impl Token {
    fn position(&self, order_by: OrderBy) -> After {
        let offset = self.field_offset.unwrap_or(0);
        match order_by {
            OrderBy::Id => After::Id(offset),
            OrderBy::CreateTime => After::TimeAndId(offset, self.id_offset.unwrap_or(0)),
            OrderBy::UpdateTime => After::TimeWithout(offset, self.listed_ids.clone()),
        }
    }

    /// The token for what comes behind these nodes.
    fn behind(
        nodes: &[Node],
        order_by: OrderBy,
        options: &ListOptions,
        before: Option<Self>,
    ) -> Option<Self> {
        let last = nodes.last()?;
        let mut token = Self {
            id_offset: last.id,
            field_offset: last.id,
            set_options: Some(ListOptions {
                next_page_token: None,
                ..options.clone()
            }),
            listed_ids: Vec::new(),
        };
        match order_by {
            OrderBy::Id => {}
            OrderBy::CreateTime => token.field_offset = last.create_time,
            OrderBy::UpdateTime => {
                token.id_offset = None;
                token.field_offset = last.update_time;
                let same_time = nodes
                    .iter()
                    .rev()
                    .take_while(|node| node.update_time == last.update_time);
                token.listed_ids = same_time.filter_map(|node| node.id).collect();
                // Ids of earlier pages stay listed while the time is theirs, or their nodes would come again.
                let carried = before.filter(|before| before.field_offset == token.field_offset);
                token
                    .listed_ids
                    .extend(carried.into_iter().flat_map(|before| before.listed_ids));
            }
        }
        Some(token)
    }

    fn to_text(&self) -> String {
        TOKEN_TEXT.encode(self.encode_to_vec())
    }
}

/// Some nodes and how to get those behind them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodePage {
    pub nodes: Vec<Node>,
    /// Unset when there is no next page.
    pub next_page_token: Option<String>,
}

impl Graph {
    /// A page of the nodes of a kind within something. Where there are none, the options do not matter. By type the token is always
    /// set, empty on the last page.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for options, a token or a filter that make no sense.
    pub async fn list(
        &self,
        kind: Kind,
        within: &Within,
        options: &ListOptions,
    ) -> Result<NodePage> {
        let found = glance!(self, |tx| async {
            let Some(scope) = within.scope(tx, kind).await? else {
                return Ok(None);
            };
            let listed = list(tx, kind, scope, options).await;
            let has_some = listed.as_ref().is_ok_and(|page| !page.nodes.is_empty());
            if !has_some && scope != Scope::All && !lists::any(tx, kind, scope).await? {
                return Ok(None);
            }
            listed.map(|page| Some((scope, page)))
        });
        let Some((scope, mut page)) = found? else {
            return Ok(NodePage::default());
        };
        if matches!(scope, Scope::Type(_)) {
            page.next_page_token.get_or_insert_default();
        }
        Ok(page)
    }
}

/// The condition that a filter text means; an empty text means none.
pub(in crate::graph) fn parse_filter(
    kind: Kind,
    text: Option<&str>,
) -> Result<Option<filter::Filter>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    filter::parse(kind, text)
        .map(Some)
        .map_err(|error| Error::InvalidArgument(error.to_string()))
}

/// A page within a scope.
pub(in crate::graph) async fn list(
    tx: &mut Tx,
    kind: Kind,
    scope: Scope,
    options: &ListOptions,
) -> Result<NodePage> {
    let size = options.size()?;
    let filter = parse_filter(kind, options.filter_query.as_deref())?;
    let before = options.token()?;
    let order_by = options.order_by()?;
    let page = Page {
        scope,
        filter: filter.as_ref().map(|filter| filter as &dyn Condition),
        order_by,
        ascending: options.is_ascending(),
        after: before.as_ref().map(|token| token.position(order_by)),
        // One more than asked for tells whether there is a next page.
        limit: i64::from(size) + 1,
    };
    let mut nodes = lists::page(tx, kind, &page).await?;
    let size = usize::try_from(size).unwrap_or_default();
    let more = nodes.len() > size;
    nodes.truncate(size);
    let next = if more {
        Token::behind(&nodes, order_by, options, before)
    } else {
        None
    };
    Ok(NodePage {
        nodes,
        next_page_token: next.map(|token| token.to_text()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn options(order: Option<(OrderField, bool)>, size: Option<i32>) -> ListOptions {
        ListOptions {
            max_result_size: size,
            order_by: order.map(|(field, ascending)| Order {
                field: Some(field as i32),
                is_asc: Some(ascending),
            }),
            ..ListOptions::default()
        }
    }

    fn node(id: i64, time: i64) -> Node {
        Node {
            id: Some(id),
            create_time: Some(time),
            update_time: Some(time),
            ..Node::default()
        }
    }

    fn token(last: i64, options: &ListOptions) -> String {
        Token::behind(&[node(last, 7)], OrderBy::Id, options, None)
            .unwrap()
            .to_text()
    }

    /// Texts that upstream's server gives for these pages.
    #[test]
    fn k12_golden_tokens() {
        assert_eq!(token(3, &options(None, Some(3))), "CAMQAxoCCAM");
        assert_eq!(token(6, &options(None, Some(3))), "CAYQBhoCCAM");
        let descending = ListOptions {
            order_by: Some(Order {
                field: None,
                is_asc: Some(false),
            }),
            ..options(None, Some(3))
        };
        assert_eq!(token(5, &descending), "CAUQBRoGCAMSAhAA");
        assert_eq!(token(20, &ListOptions::default()), "CBQQFBoA");
    }

    #[test]
    fn k12_padding_is_accepted_and_noise_is_not() {
        let with = |text: &str| ListOptions {
            next_page_token: Some(text.to_owned()),
            ..ListOptions::default()
        };
        assert!(with("CBQQFBoA").token().unwrap().is_some());
        assert!(with("CAMQAxoCCAM=").token().unwrap().is_some());
        assert!(with("").token().unwrap().is_none());
        for noise in ["!!!", "AAAA", "\u{e9}"] {
            assert!(
                matches!(with(noise).token(), Err(Error::InvalidArgument(_))),
                "{noise}"
            );
        }
    }

    #[test]
    fn f7_ids_of_one_time_stay_listed_over_pages() {
        let by_time = options(Some((OrderField::UpdateTime, true)), Some(2));
        let first = Token::behind(
            &[node(1, 5), node(2, 9)],
            OrderBy::UpdateTime,
            &by_time,
            None,
        );
        assert_eq!(first.as_ref().unwrap().listed_ids, [2]);
        let second = Token::behind(
            &[node(3, 9), node(4, 9)],
            OrderBy::UpdateTime,
            &by_time,
            first,
        );
        assert_eq!(second.as_ref().unwrap().listed_ids, [4, 3, 2]);
        let third = Token::behind(
            &[node(5, 9), node(6, 10)],
            OrderBy::UpdateTime,
            &by_time,
            second,
        );
        assert_eq!(third.unwrap().listed_ids, [6]);
    }

    proptest! {
        #[test]
        fn any_token_text_is_read_or_refused(text in ".*") {
            let options = ListOptions { next_page_token: Some(text), ..ListOptions::default() };
            let _ = options.token();
        }
    }
}
