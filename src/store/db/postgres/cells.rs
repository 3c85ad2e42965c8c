//! Values between the two engines: everything is a number, a text or nothing, as in `SQLite`.

use super::super::{FromSql, FromSqlError, ToSqlOutput, ValueRef};
use crate::store::StoreError;
use std::error::Error;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// One value, on its way to the server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Text(String),
}

impl Cell {
    pub(super) fn of(value: &dyn super::super::ToSql) -> Result<Self, StoreError> {
        Ok(match value.to_sql()? {
            ToSqlOutput::Borrowed(ValueRef::Null) | ToSqlOutput::Owned(rusqlite::types::Value::Null) => Self::Null,
            ToSqlOutput::Borrowed(ValueRef::Integer(number))
            | ToSqlOutput::Owned(rusqlite::types::Value::Integer(number)) => Self::Integer(number),
            ToSqlOutput::Borrowed(ValueRef::Text(text)) => {
                Self::Text(storable(str::from_utf8(text).map_err(|e| StoreError::Content(e.to_string()))?.to_owned()))
            }
            ToSqlOutput::Owned(rusqlite::types::Value::Text(text)) => Self::Text(storable(text)),
            other => return Err(StoreError::Content(format!("a value that no column takes: {other:?}"))),
        })
    }

    /// How many bytes of text it has.
    pub(super) fn size(&self) -> usize {
        if let Self::Text(text) = self { text.len() } else { 0 }
    }

    /// Whether it can be sent as a parameter of that type.
    pub(super) fn fits(&self, wanted: &Type) -> bool {
        match self {
            Self::Null => true,
            Self::Integer(number) => match *wanted {
                Type::INT8 | Type::BOOL => true,
                Type::INT4 => i32::try_from(*number).is_ok(),
                _ => false,
            },
            Self::Text(_) => matches!(*wanted, Type::TEXT | Type::VARCHAR | Type::NAME),
        }
    }
}

/// `PostgreSQL` keeps no NUL in a text: it becomes U+FFFD. Only a name can have one; JSON escapes it.
fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

impl ToSql for Cell {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self, wanted) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Integer(number), &Type::INT4) => i32::try_from(*number)?.to_sql(wanted, out),
            (Self::Integer(number), &Type::BOOL) => (*number != 0).to_sql(wanted, out),
            (Self::Integer(number), &Type::INT8) => number.to_sql(wanted, out),
            (Self::Text(text), &Type::TEXT | &Type::VARCHAR | &Type::NAME) => text.to_sql(wanted, out),
            _ => Err(format!("a value of another type than {wanted}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// One value from the server, as `SQLite` would have it.
struct Stored<'a>(ValueRef<'a>);

impl<'a> tokio_postgres::types::FromSql<'a> for Stored<'a> {
    fn from_sql(found: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(match *found {
            Type::INT8 => ValueRef::Integer(i64::from_sql(found, raw)?),
            Type::INT4 => ValueRef::Integer(i32::from_sql(found, raw)?.into()),
            Type::BOOL => ValueRef::Integer(bool::from_sql(found, raw)?.into()),
            _ => ValueRef::Text(raw),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(ValueRef::Null))
    }

    fn accepts(found: &Type) -> bool {
        matches!(*found, Type::INT8 | Type::INT4 | Type::BOOL | Type::TEXT | Type::VARCHAR | Type::NAME | Type::UNKNOWN)
    }
}

/// A column of a row.
pub(in crate::store) fn cell<T: FromSql>(row: &tokio_postgres::Row, column: usize) -> Result<T, StoreError> {
    let name = || row.columns().get(column).map_or("?", |column| column.name()).to_owned();
    let Stored(value) = row.try_get(column).map_err(|e| StoreError::Content(format!("column {}: {e}", name())))?;
    T::column_result(value).map_err(|e| {
        let problem = match e {
            FromSqlError::InvalidType => "a value of another type".to_owned(),
            other => other.to_string(),
        };
        StoreError::Content(format!("column {}: {problem}", name()))
    })
}

/// The same statement with its parameters as `$1`, and their names where they have any, in that order. Texts stay as they
/// are; a statement has no comments and no `::`.
pub(super) fn numbered(sql: &str) -> (String, Vec<String>) {
    let mut names: Vec<String> = Vec::new();
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.find(['\'', '?', ':']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let after = &from[1..];
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name = &after[..after.find(|c| !is_of_name(c)).unwrap_or(after.len())];
        rest = &after[name.len()..];
        match from.as_bytes()[0] {
            b'\'' => {
                let end = after.find('\'').map_or(after.len(), |end| end + 1);
                text.push_str(&from[..=end.min(from.len() - 1)]);
                rest = &after[end..];
            }
            b':' if !name.is_empty() => {
                let name = format!(":{name}");
                let number = names.iter().position(|known| *known == name).unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                });
                text.push_str(&format!("${}", number + 1));
            }
            b'?' => text.push_str(&format!("${name}")),
            _ => text.push_str(&from[..=name.len()]),
        }
    }
    text.push_str(rest);
    (text, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_and_texts_stay() {
        assert_eq!(numbered("a = ?1 AND b = '?2:x' AND c = ?12"), ("a = $1 AND b = '?2:x' AND c = $12".into(), vec![]));
        let (sql, names) = numbered("SET x = :one, y = :two WHERE z = :one AND q = 'it''s :no'");
        assert_eq!(sql, "SET x = $1, y = $2 WHERE z = $1 AND q = 'it''s :no'");
        assert_eq!(names, [":one", ":two"]);
        assert_eq!(numbered("SELECT 'open"), ("SELECT 'open".into(), vec![]));
    }
}
