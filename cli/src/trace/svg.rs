//! A trace as a picture: a card for each thing, a line for each link.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jangbu_ledger::identifier::Identifier;

use super::Traced;
use super::graph::{Graph, Line, Standing};
use super::layout::{Place, places};
use super::told::Told;
use crate::client::TraceEdge;

/// Sizes in pixels: a card, the room between columns and rows, the edge of the picture.
const CARD: (usize, usize) = (310, 66);
const GAP: (usize, usize) = (150, 18);
const MARGIN: usize = 24;
/// Room above for what is shown, below for the legend.
const HEAD: usize = 58;
const LEGEND: usize = 46;
/// Most characters of a line in a card.
const LINE_CHARS_MAX: usize = 35;

/// How everything looks; the same in a light and a dark surrounding.
const STYLE: &str = "\
text{font-family:system-ui,'Segoe UI','Noto Sans','Noto Sans CJK KR',sans-serif;fill:#1c2733}\
.paper{fill:#f7f9fb}\
.title{font-size:18px;font-weight:600}\
.sub{font-size:12px;fill:#5b6b7b}\
.card{fill:#fff;stroke:#c4cfda;stroke-width:1.2}\
.withheld{stroke-dasharray:5 4;fill:#f1f4f7}\
.bar{stroke:none}\
.complete{fill:#1a8754}.open{fill:#8796a5}.contested{fill:#c62f3b}.bar.withheld{fill:#c4cfda}\
.name{font-size:12px;font-weight:600}\
.who{font-size:12px;fill:#3d4d5c}\
.warn{fill:#c62f3b;font-weight:600}\
.link{fill:none;stroke:#4a7ab5;stroke-width:1.8}\
.asserted{stroke-dasharray:6 5}\
.denied{stroke:#c62f3b;stroke-dasharray:6 5}\
.amount{font-size:11px;fill:#3d4d5c;text-anchor:end;paint-order:stroke;stroke:#f7f9fb;stroke-width:5px}";

pub(super) fn draw(traced: &Traced) -> String {
    let graph = traced.graph();
    let places = places(&graph);
    let columns = places.values().map(|p| p.column + 1).max().unwrap_or(1);
    let half_rows = places.values().map(|p| p.half_row + 2).max().unwrap_or(2);
    let width = (2 * MARGIN + columns * CARD.0 + (columns - 1) * GAP.0).max(760);
    let height = HEAD + MARGIN + half_rows * (CARD.1 + GAP.1) / 2 + LEGEND;

    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n\
         <style>{STYLE}</style>\n<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n",
        escaped(&heading(traced))
    );
    let summary = summary(traced);
    let _ = write!(
        text,
        "<text class=\"title\" x=\"{MARGIN}\" y=\"30\">{}</text>\n\
         <text class=\"sub\" x=\"{MARGIN}\" y=\"50\">{summary}</text>\n",
        escaped(&heading(traced))
    );
    // No line through what is written beside another.
    let mut labels = String::new();
    for edge in &traced.trace.edges {
        link(&mut text, &mut labels, edge, &graph, &places);
    }
    text.push_str(&labels);
    for (thing, place) in &places {
        card(&mut text, &graph, thing, *place);
    }
    legend(&mut text, traced, height - LEGEND / 2);
    text.push_str("</svg>\n");
    text
}

/// What there is, in one line.
fn summary(traced: &Traced) -> String {
    if let Some(told) = &traced.told {
        return told.summary.clone();
    }
    let counts = traced.counts;
    format!(
        "{} things, {} companies, {} links: {} confirmed by both sides, {} asserted, {} contested",
        counts.things,
        counts.companies,
        counts.links,
        counts.confirmed,
        counts.asserted,
        counts.contested
    )
}

/// What the picture shows.
pub(super) fn heading(traced: &Traced) -> String {
    if let Some(told) = &traced.told {
        return told.heading.clone();
    }
    match traced.direction {
        crate::client::Direction::Down => format!("What {} is made of", traced.trace.root),
        crate::client::Direction::Up => format!("What contains {}", traced.trace.root),
    }
}

/// The upper left corner of a card.
const fn corner(place: Place) -> (usize, usize) {
    (
        MARGIN + place.column * (CARD.0 + GAP.0),
        HEAD + MARGIN + place.half_row * (CARD.1 + GAP.1) / 2,
    )
}

fn card(text: &mut String, graph: &Graph<'_>, thing: &Identifier, place: Place) {
    let (x, y) = corner(place);
    let (width, height) = CARD;
    let standing = graph.standing(thing);
    let outline = if standing == Standing::Withheld {
        "card withheld"
    } else {
        "card"
    };
    let (passport, warns) = graph.passport(thing).unwrap_or_default();
    let class = if warns { "sub warn" } else { "sub" };
    let separator = if passport.is_empty() { "" } else { " · " };
    let _ = writeln!(
        text,
        "<g><title>{}</title>\
         <rect class=\"{outline}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>\
         <rect class=\"bar {}\" x=\"{x}\" y=\"{}\" width=\"5\" height=\"{}\" rx=\"2\"/>\
         <text class=\"name\" x=\"{left}\" y=\"{}\">{}</text>\
         <text class=\"who\" x=\"{left}\" y=\"{}\">{}</text>\
         <text class=\"{class}\" x=\"{left}\" y=\"{}\">{}{separator}{}</text></g>",
        escaped(thing.as_str()),
        standing.name(),
        y + 8,
        height - 16,
        y + 22,
        escaped(&shortened(thing.as_str())),
        y + 40,
        escaped(&shortened(&graph.company(thing))),
        y + 56,
        escaped(&passport),
        graph.word(thing),
        left = x + 16,
    );
}

fn link(
    text: &mut String,
    labels: &mut String,
    edge: &TraceEdge,
    graph: &Graph<'_>,
    places: &BTreeMap<&Identifier, Place>,
) {
    let far = graph.far(edge);
    let near = if far == &edge.child {
        &edge.parent
    } else {
        &edge.child
    };
    let (Some(from), Some(to)) = (places.get(near), places.get(far)) else {
        return;
    };
    let ((x1, y1), (x2, y2)) = (corner(*from), corner(*to));
    let (x1, y1, y2) = (x1 + CARD.0, y1 + CARD.1 / 2, y2 + CARD.1 / 2);
    let class = match graph.line(edge) {
        Line::Solid => "link",
        Line::Denied => "link denied",
        Line::Dashed => "link asserted",
    };
    let bend = GAP.0 / 2;
    let _ = writeln!(
        text,
        "<path class=\"{class}\" d=\"M{x1} {y1} C{} {y1} {} {y2} {x2} {y2}\"><title>{}</title></path>",
        x1 + bend,
        x2.saturating_sub(bend),
        escaped(&graph.says(edge))
    );
    if let Some(beside) = graph.label(edge) {
        // At the far end, where lines that begin together have parted.
        let _ = writeln!(
            labels,
            "<text class=\"amount\" x=\"{}\" y=\"{}\">{}</text>",
            x2.saturating_sub(10),
            // Three quarters along the curve: lines that end together have not met yet.
            ((5 * y1 + 27 * y2) / 32).saturating_sub(6),
            escaped(&shortened(&beside))
        );
    }
}

fn legend(text: &mut String, traced: &Traced, y: usize) {
    let of_links = [
        (Standing::Complete, "all parts linked"),
        (Standing::Open, "there may be more"),
        (Standing::Contested, "a link is denied"),
        (Standing::Withheld, "nothing openly recorded"),
    ];
    let meanings = match &traced.told {
        None => of_links.map(|(standing, meaning)| (standing, standing.name(), meaning)),
        Some(_) => Told::LEGEND,
    };
    let mut x = MARGIN;
    for (standing, word, meaning) in meanings {
        let _ = writeln!(
            text,
            "<rect class=\"bar {}\" x=\"{x}\" y=\"{}\" width=\"5\" height=\"14\" rx=\"2\"/>\
             <text class=\"sub\" x=\"{}\" y=\"{y}\">{word}: {meaning}</text>",
            standing.name(),
            y - 11,
            x + 11,
        );
        x += 182;
    }
}

/// The start and the end of what is too long for a card.
fn shortened(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= LINE_CHARS_MAX {
        return text.to_owned();
    }
    let head = LINE_CHARS_MAX / 2;
    let tail = LINE_CHARS_MAX - 1 - head;
    let start: String = chars.iter().take(head).collect();
    let end: String = chars.iter().skip(chars.len() - tail).collect();
    format!("{start}…{end}")
}

/// Text as XML and HTML hold it.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::graph::tests::traced;
    use super::*;
    use crate::client::Direction;

    #[test]
    fn a_picture_has_a_card_for_each_thing_and_a_line_for_each_link() {
        let text = draw(&traced(Direction::Down));
        assert_eq!(text.matches("<g>").count(), 3);
        assert_eq!(text.matches("<path").count(), 4);
        assert_eq!(text.matches("link denied").count(), 1);
        // No line goes through what is written beside another.
        assert!(text.rfind("<path") < text.find("class=\"amount\""));
        assert!(text.contains("What https://example.com/car is made of"));
        assert!(draw(&traced(Direction::Up)).contains("What contains"));
    }

    #[test]
    fn what_strangers_named_is_text_not_markup() {
        let mut traced = traced(Direction::Down);
        traced.trace.nodes[0].owner_name = Some("</text><script>'x'&\"".into());
        let text = draw(&traced);
        assert!(!text.contains("<script>"), "{text}");
        assert!(
            text.contains("&lt;/text&gt;&lt;script&gt;&#39;x&#39;&amp;&quot;"),
            "{text}"
        );
    }

    #[test]
    fn a_long_line_keeps_its_start_and_its_end() {
        let long = format!("https://id.gs1.org/01/{}/21/LAST", "9".repeat(60));
        let short = shortened(&long);
        assert_eq!(short.chars().count(), LINE_CHARS_MAX);
        assert!(short.starts_with("https://id.gs1.") && short.ends_with("/21/LAST"));
        assert_eq!(shortened("short"), "short");
    }
}
