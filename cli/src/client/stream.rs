//! Server-Sent Events: lines of a stream that does not end, each bounded.
//!
//! Source: the HTML standard, section 9.2.6.

use std::io::{BufRead as _, BufReader, Read};

use reqwest::blocking::Response;

use super::answer::Item;
use super::http::{Failure, printable};

/// Longest line in bytes: an entry has 64 KiB, and stands in it twice.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// What a node says of the log, as it goes on.
#[derive(Debug)]
pub struct Stream<R = Response> {
    lines: BufReader<R>,
}

/// A piece of what it says.
#[derive(Debug)]
pub enum Event {
    /// A statement.
    Statement(Item),
    /// Nothing more up to this place.
    Reached(u64),
}

impl<R: Read> Stream<R> {
    pub(super) fn new(response: R) -> Self {
        Self {
            lines: BufReader::new(response),
        }
    }

    /// The next event; `None` when the node ends the stream.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the connection breaks, is silent for too long, or carries something else.
    pub fn event(&mut self) -> Result<Option<Event>, Failure> {
        let (mut id, mut data) = (None, None);
        while let Some(line) = self.line()? {
            // A field, a colon, perhaps a space; a line that begins with a colon says nothing.
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => {
                    let number = value.parse::<u64>();
                    id = Some(number.map_err(|_| garbage("an event's id is not a place"))?);
                }
                "data" => data = Some(value.to_owned()),
                "" if line.is_empty() => match (id.take(), data.take()) {
                    (_, Some(data)) => {
                        let item = serde_json::from_str(&data);
                        let item: Item = item.map_err(|error| garbage(&error.to_string()))?;
                        return Ok(Some(Event::Statement(item)));
                    }
                    (Some(id), None) => return Ok(Some(Event::Reached(id))),
                    (None, None) => {}
                },
                _ => {}
            }
        }
        Ok(None)
    }

    fn line(&mut self) -> Result<Option<String>, Failure> {
        let mut line = Vec::new();
        (&mut self.lines)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .map_err(|error| Failure::Lost(printable(&error.to_string())))?;
        match line.pop() {
            // What was begun and not ended is no event.
            None => return Ok(None),
            Some(b'\n') => {}
            Some(_) if line.len() as u64 + 1 < LINE_BYTES_MAX => return Ok(None),
            Some(_) => return Err(garbage("a line without an end")),
        }
        let text = String::from_utf8(line).map_err(|_| garbage("a line that is no text"))?;
        Ok(Some(text))
    }
}

fn garbage(what: &str) -> Failure {
    Failure::Garbage(printable(what))
}
