//! Header fields in their order, with their names as written.
//!
//! `http::HeaderMap` is not used: it changes names to lower case and accepts fewer values than nginx passes on.

use bstr::{BStr, ByteSlice};
use bytes::Bytes;

/// Header fields of a response, in the order in which they are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Bytes, Bytes)>);

impl Headers {
    /// Allocates memory for further fields.
    pub fn reserve(&mut self, number: usize) {
        self.0.reserve(number);
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a field after those that exist.
    pub fn append(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.0.push((name.into(), value.into()));
    }

    /// Adds a field before those that exist.
    pub fn prepend(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.0.insert(0, (name.into(), value.into()));
    }

    /// Sets a field; replaces all of this name, where the first of them stands.
    pub fn set(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        let (name, value) = (name.into(), value.into());
        let mut next = Some((name.clone(), value));
        self.0.retain_mut(|field| match field.0.eq_ignore_ascii_case(&name) {
            false => true,
            true => next.take().map(|new| *field = new).is_some(),
        });
        self.0.extend(next);
    }

    /// Removes all fields of this name.
    pub fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Value of the first field of this name, in any case.
    pub fn get(&self, name: &[u8]) -> Option<&BStr> {
        self.all(name).next()
    }

    /// Values of all fields of this name.
    pub fn all(&self, name: &[u8]) -> impl Iterator<Item = &BStr> {
        self.0
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_bstr())
    }

    /// Values of all fields whose name is this one, with every `-` written as `_`, as one value; `None` if there is none. As in nginx
    /// since 1.23.
    pub fn joined(&self, name: &[u8]) -> Option<Vec<u8>> {
        let alike = || self.0.iter().filter(|(known, _)| is_like(known, name)).map(|(_, value)| value);
        alike().next()?;
        Some(bstr::join(", ", alike()))
    }

    /// All fields.
    pub fn iter(&self) -> impl Iterator<Item = (&BStr, &BStr)> {
        self.0.iter().map(|(name, value)| (name.as_bstr(), value.as_bstr()))
    }

    /// All fields, to be shared instead of copied.
    pub fn shared(&self) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Bytes, Bytes)> for Headers {
    fn from_iter<I: IntoIterator<Item = (Bytes, Bytes)>>(fields: I) -> Self {
        Headers(fields.into_iter().collect())
    }
}

/// Whether a field's name is this one, in any case and with `-` written as `_`.
pub(super) fn is_like(known: &[u8], name: &[u8]) -> bool {
    let plain = |byte: &u8| if *byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
    known.len() == name.len() && known.iter().map(plain).eq(name.iter().map(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_their_names() {
        let mut headers = Headers::default();
        headers.append("X-One", "1");
        headers.append("x-Two", "2");
        headers.append("X-one", "3");
        assert_eq!(headers.all(b"x-one").collect::<Vec<_>>(), ["1", "3"]);
        assert_eq!(headers.joined(b"x_one").unwrap(), b"1, 3");
        assert_eq!(headers.joined(b"x_on"), None);
        headers.set("X-ONE", "4");
        let all: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(all, ["X-ONE: 4", "x-Two: 2"]);
        headers.remove(b"x-two");
        assert_eq!(headers.get(b"x-two"), None);
    }
}
