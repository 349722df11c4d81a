//! Texts of the container engine and of runners, for callers: they may name paths of this machine, which are nobody else's business.

/// The text with `…` in the place of every absolute path, and of what follows a scheme.
pub(crate) fn hidden(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('/') {
        let (before, path) = rest.split_at(at);
        shown.push_str(before);
        // Within a word it divides a name of an image or the like.
        if before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_')) {
            shown.push('/');
            rest = &path[1..];
            continue;
        }
        shown.push('…');
        let end = path.find(|c: char| c.is_whitespace() || "\"'`)],;".contains(c)).unwrap_or(path.len());
        // What ends a clause is no part of it.
        let end = path[..end].trim_end_matches([':', '.', '?']).len();
        rest = &path[end..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_hidden_and_what_else_is_said_stays() {
        for (text, shown) in [
            (
                "the Docker engine at unix:///var/run/docker.sock cannot be reached (No such file): is it running?",
                "the Docker engine at unix:… cannot be reached (No such file): is it running?",
            ),
            (
                "refused to create a container: mkdir /var/lib/docker/overlay2/9f-init: no space left on device",
                "refused to create a container: mkdir …: no space left on device",
            ),
            (
                r#"OCI runtime: exec: "/opt/boot.pyc", '/x' (/y) =/z."#,
                r#"OCI runtime: exec: "…", '…' (…) =…."#,
            ),
            (
                "the image registry.example/team/runner:1.0 is missing",
                "the image registry.example/team/runner:1.0 is missing",
            ),
            ("at http://10.0.0.1:2375/v1.41: refused", "at http:…: refused"),
            ("nothing of the kind", "nothing of the kind"),
            ("/", "…"),
        ] {
            assert_eq!(hidden(text), shown);
        }
    }

    proptest! {
        #[test]
        fn no_word_that_begins_with_a_slash_is_shown(text in "[a-z/:. \"'é]{0,60}") {
            let hidden = hidden(&text);
            prop_assert!(hidden.split([' ', '"', '\'']).all(|word| !word.starts_with('/')), "{hidden}");
        }
    }
}
