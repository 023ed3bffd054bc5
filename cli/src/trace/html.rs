//! A trace as one page: the picture and a table of the links. It asks nothing of any network.

use std::fmt::Write as _;

use super::Traced;
use super::graph::amount;
use super::svg::{self, escaped};
use super::told::Told;

const STYLE: &str = "\
body{font:14px/1.5 system-ui,'Segoe UI','Noto Sans','Noto Sans CJK KR',sans-serif;color:#1c2733;\
background:#f7f9fb;margin:2rem auto;max-width:78rem;padding:0 1rem}\
figure{margin:0 0 1.5rem;overflow-x:auto;background:#f7f9fb;border:1px solid #dde4ea;border-radius:8px}\
svg{display:block;max-width:100%;height:auto}\
table{border-collapse:collapse;width:100%;background:#fff;border:1px solid #dde4ea}\
caption{text-align:left;font-weight:600;padding:.4rem 0}\
th,td{text-align:left;padding:.45rem .7rem;border-bottom:1px solid #e8edf2;vertical-align:top}\
th{background:#eef2f6}td.id{overflow-wrap:anywhere}\
p.note{color:#5b6b7b}";

/// The columns of the table.
const COLUMNS: [&str; 5] = ["Product", "Part", "Amount", "Who says so", "Entry"];
/// What the page says at its end.
const NOTE: &str = "As one node answered. For a proof that nothing was left out, which anyone \
    verifies offline: <code>jangbu prove trace</code>. The ledger shows who said what, not whether \
    it is true.";

pub(super) fn draw(traced: &Traced) -> String {
    let graph = traced.graph();
    let (columns, note) = match &traced.told {
        None => (COLUMNS, NOTE),
        Some(_) => (Told::COLUMNS, Told::NOTE),
    };
    let head = columns.map(|column| format!("<th scope=\"col\">{column}</th>"));
    let title = escaped(&svg::heading(traced));
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<figure>\n{}</figure>\n\
         <table>\n<caption>Links</caption>\n<thead><tr>{}</tr></thead>\n<tbody>\n",
        svg::draw(traced),
        head.concat()
    );
    for edge in &traced.trace.edges {
        let _ = writeln!(
            text,
            "<tr><td class=\"id\">{}</td><td class=\"id\">{}</td><td>{}</td><td>{}</td>\
             <td>{}</td></tr>",
            escaped(edge.parent.as_str()),
            escaped(edge.child.as_str()),
            escaped(&match &traced.told {
                None => amount(edge).unwrap_or_default(),
                Some(_) => graph.label(edge).unwrap_or_default(),
            }),
            escaped(&graph.says(edge)),
            edge.sequence
        );
    }
    text.push_str("</tbody>\n</table>\n");
    if traced.trace.truncated {
        text.push_str(
            "<p class=\"note\">There is more beyond: the depth or a bound left it out.</p>\n",
        );
    }
    let _ = write!(text, "<p class=\"note\">{note}</p>\n</body>\n</html>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::super::graph::tests::traced;
    use super::*;
    use crate::client::Direction;

    #[test]
    fn a_page_has_the_picture_and_a_row_for_each_link_and_loads_nothing() {
        let mut traced = traced(Direction::Down);
        traced.trace.edges[0].asserted_by = "<img src=x>".into();
        let text = draw(&traced);
        assert_eq!(text.matches("<svg").count(), 1);
        assert_eq!(text.matches("<tr><td").count(), 4);
        assert!(
            !text.contains("<img") && !text.contains("<script"),
            "{text}"
        );
        assert!(
            !text.contains("src=\"") && !text.contains("href="),
            "{text}"
        );
    }
}
