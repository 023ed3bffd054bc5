//! What there is to run in a document.

/// Something to run.
#[derive(Debug)]
pub(super) struct Step {
    /// The line that it begins in.
    pub(super) line: usize,
    /// What to give to bash.
    pub(super) command: String,
    /// What it is shown to print; `None` if the document shows no output of it, or not the command.
    pub(super) shown: Option<Vec<String>>,
}

/// In what a line stands.
enum Within {
    Text,
    /// A block that is not run.
    Aside,
    /// Commands with what they print.
    Console {
        is_first: bool,
    },
    /// Commands alone, or commands that are not shown.
    Commands(Step),
}

/// Everything to run in a document, in its order.
pub(super) fn steps(text: &str) -> Vec<Step> {
    let (mut steps, mut within, mut is_skipped) = (Vec::<Step>::new(), Within::Text, false);
    let mut goes_on = false;
    for (line, text) in (1..).zip(text.lines()) {
        within = match within {
            Within::Text => match text {
                "<!-- run" => Within::Commands(Step::new(line, None)),
                "```console" | "```sh" if is_skipped => {
                    is_skipped = false;
                    Within::Aside
                }
                "```console" => Within::Console { is_first: true },
                "```sh" => Within::Commands(Step::new(line, None)),
                "```" | "```json" | "```text" => Within::Aside,
                text if text.trim_start().starts_with("```") => panic!("line {line}: {text}"),
                text => {
                    is_skipped |= text.starts_with("<!-- not run: ");
                    Within::Text
                }
            },
            Within::Aside if text == "```" => Within::Text,
            Within::Console { .. } if text == "```" => Within::Text,
            Within::Commands(step) if matches!(text, "```" | "-->") => {
                steps.push(step);
                Within::Text
            }
            Within::Commands(mut step) => {
                step.add(text);
                Within::Commands(step)
            }
            Within::Console { is_first } => {
                assert!(!is_first || text.starts_with("$ "), "line {line}: {text}");
                if let Some(command) = text.strip_prefix("$ ") {
                    steps.push(Step::new(line, Some(Vec::new())));
                    goes_on = add(&mut steps, command);
                } else if goes_on {
                    goes_on = add(&mut steps, text);
                } else if let Some(command) = text.strip_prefix("> ") {
                    goes_on = add(&mut steps, command);
                } else if let Some(shown) = steps.last_mut().and_then(|step| step.shown.as_mut()) {
                    shown.push(text.to_owned());
                }
                Within::Console { is_first: false }
            }
            Within::Aside => Within::Aside,
        };
    }
    assert!(matches!(within, Within::Text), "a block without an end");
    assert!(!is_skipped, "nothing follows what is not to be run");
    steps
}

/// Adds a line to the last command; whether it goes on in the next one.
fn add(steps: &mut [Step], text: &str) -> bool {
    if let Some(step) = steps.last_mut() {
        step.add(text);
    }
    text.ends_with('\\')
}

impl Step {
    const fn new(line: usize, shown: Option<Vec<String>>) -> Self {
        Self {
            line,
            command: String::new(),
            shown,
        }
    }

    fn add(&mut self, text: &str) {
        self.command.push_str(text);
        self.command.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::steps;

    #[test]
    fn what_is_run_is_told_from_what_it_prints() {
        let text = "
<!-- run
hidden
-->
```console
$ one \\
  more
printed
$ for x in y; do
>     two
> done
```
<!-- not run: why -->
```sh
three
```
```sh
four
five
```
";
        let found: Vec<_> = steps(text)
            .into_iter()
            .map(|step| (step.line, step.command, step.shown))
            .collect();
        let shown = |lines: &[&str]| Some(lines.iter().map(|&line| line.to_owned()).collect());
        assert_eq!(
            found,
            [
                (2, "hidden\n".to_owned(), None),
                (6, "one \\\n  more\n".to_owned(), shown(&["printed"])),
                (9, "for x in y; do\n    two\ndone\n".to_owned(), shown(&[])),
                (17, "four\nfive\n".to_owned(), None),
            ]
        );
    }
}
