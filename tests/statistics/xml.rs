//! A document as its readers see it: elements with their paths.

use std::collections::BTreeSet;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::support::{Server, http};

/// The elements of a document in their order: path and text.
pub struct Elements(Vec<(String, String)>);

impl Elements {
    /// Of the document at `target`.
    pub fn get(server: &Server, target: &str) -> Elements {
        let response = http::get(server.http, target);
        assert_eq!((response.status(), response.header("content-type")), (200, Some("text/xml")));
        Elements::parse(&response.text())
    }

    pub fn parse(text: &str) -> Elements {
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        let (mut elements, mut open): (Vec<(String, String)>, Vec<usize>) = (Vec::new(), Vec::new());
        loop {
            match reader.read_event().unwrap_or_else(|error| panic!("{error}: {text}")) {
                Event::Start(start) => {
                    let outer = open.last().map_or("", |at| elements[*at].0.as_str());
                    let path = format!("{outer}/{}", start.name().as_ref());
                    open.push(elements.len());
                    elements.push((path, String::new()));
                }
                Event::End(_) => drop(open.pop()),
                Event::Text(more) => {
                    if let Some(at) = open.last() {
                        elements[*at].1.push_str(&more);
                    }
                }
                Event::GeneralRef(name) => {
                    let text = quick_xml::escape::unescape(&format!("&{};", &*name)).unwrap().into_owned();
                    elements[*open.last().unwrap()].1.push_str(&text);
                }
                Event::Eof => return Elements(elements),
                _ => {}
            }
        }
    }

    /// All paths.
    pub fn paths(&self) -> BTreeSet<&str> {
        self.0.iter().map(|(path, _)| path.as_str()).collect()
    }

    /// Texts of the elements with a path.
    pub fn all(&self, path: &str) -> Vec<&str> {
        self.0.iter().filter(|(found, _)| found == path).map(|(_, text)| text.as_str()).collect()
    }

    /// Text of the first element with a path.
    #[track_caller]
    pub fn text(&self, path: &str) -> &str {
        self.all(path).first().unwrap_or_else(|| panic!("no {path} in {:?}", self.paths()))
    }

    /// The number in it.
    #[track_caller]
    pub fn number(&self, path: &str) -> i64 {
        let text = self.text(path);
        text.parse().unwrap_or_else(|_| panic!("{path} is no number: {text}"))
    }
}
