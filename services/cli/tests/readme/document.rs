//! What a document tells its reader to type, and what it says the reader will see.

/// One command and what is shown below it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Line of the document, from 1.
    pub(crate) line: usize,
    /// As typed, without the prompt; may have several lines.
    pub(crate) command: String,
    /// Lines shown below it.
    pub(crate) output: Vec<String>,
    /// Whether what is shown may take a moment to become true.
    pub(crate) eventually: bool,
}

/// The steps of every `console` block that stands right below a line `<!-- test -->`, or, if the
/// effects of earlier commands may still be on their way, `<!-- test: eventually -->`.
pub(crate) fn steps(document: &str) -> Vec<Step> {
    let mut lines = document.lines().enumerate();
    let mut steps = Vec::new();
    while let Some((_, line)) = lines.next() {
        let eventually = match line.trim() {
            "<!-- test -->" => false,
            "<!-- test: eventually -->" => true,
            _ => continue,
        };
        let (n, fence) = lines.next().expect("a block follows a mark");
        assert_eq!(
            fence.trim(),
            "```console",
            "line {}: what is tested is a console block",
            n + 1
        );
        let block: Vec<_> = lines
            .by_ref()
            .take_while(|(_, line)| line.trim() != "```")
            .collect();
        steps.extend(block_steps(&block, eventually));
    }
    steps
}

fn block_steps(block: &[(usize, &str)], eventually: bool) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = block.iter();
    while let Some((n, line)) = lines.next() {
        if let Some(first) = line.strip_prefix("$ ") {
            let mut command = first.to_owned();
            while is_unfinished(&command) {
                let (_, next) = lines.next().expect("a command ends within its block");
                command.push('\n');
                command.push_str(next);
            }
            steps.push(Step {
                line: n + 1,
                command,
                output: Vec::new(),
                eventually,
            });
        } else {
            let step = steps
                .last_mut()
                .unwrap_or_else(|| panic!("line {}: output of no command", n + 1));
            step.output.push((*line).to_owned());
        }
    }
    steps
}

/// Whether a shell would ask for another line: after a backslash, or within single quotes.
fn is_unfinished(command: &str) -> bool {
    command.ends_with('\\') || command.matches('\'').count() % 2 == 1
}

#[test]
fn a_marked_block_gives_its_commands_and_what_they_show() {
    let document = "\
        # Tour\n\
        ```console\n$ not marked\n```\n\
        <!-- test -->\n\
        ```console\n$ one\nseen\n\n$ two '{\n  }' \\\n  --flag\n```\n\
        <!-- test: eventually -->\n\
        ```console\n$ three\nlater\n```\n";
    let step = |line, command: &str, output: &[&str], eventually| Step {
        line,
        command: command.into(),
        output: output.iter().map(|&line| line.into()).collect(),
        eventually,
    };
    assert_eq!(
        steps(document),
        [
            step(7, "one", &["seen", ""], false),
            step(10, "two '{\n  }' \\\n  --flag", &[], false),
            step(16, "three", &["later"], true),
        ]
    );
}
