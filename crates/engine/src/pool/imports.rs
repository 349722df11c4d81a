//! Which libraries code will import, by a scan of its lines. A wrong guess is only slower.

/// Beyond this much of the code nothing is looked for, bytes.
const LOOKED_AT: usize = 64 << 10;

/// What libraries of the image import themselves, as far as they are worth warming up.
const DRAWS_IN: [(&str, &[&str]); 8] = [
    ("matplotlib", &["numpy"]),
    ("networkx", &["numpy"]),
    ("pandas", &["numpy"]),
    ("pylab", &["numpy", "matplotlib"]),
    ("scipy", &["numpy"]),
    ("seaborn", &["numpy", "pandas", "matplotlib"]),
    ("sklearn", &["numpy"]),
    ("statsmodels", &["numpy", "pandas"]),
];
/// Names the runner puts there without an import.
const ALIASES: [(&str, &str); 2] = [("np", "numpy"), ("pd", "pandas")];

/// How many of the modules that containers preload, in this order, the code asks for: up to the last one of them.
pub(crate) fn wanted_level(code: &str, preloads: &[String]) -> usize {
    let code = code.get(..code.floor_char_boundary(LOOKED_AT)).unwrap_or_default();
    let mut wanted: Vec<&str> = code.split(['\n', '\r', ';']).flat_map(imported).collect();
    wanted.extend(ALIASES.iter().filter(|(alias, _)| mentions(code, alias)).map(|(_, module)| *module));
    let drawn_in =
        |module: &&str| DRAWS_IN.iter().find(|(name, _)| name == module).map_or(&[][..], |(_, all)| *all);
    let asked = |preload: &String| {
        let root = root(preload);
        wanted.iter().any(|module| *module == root || drawn_in(module).contains(&root))
    };
    preloads.iter().rposition(asked).map_or(0, |last| last + 1)
}

/// Roots of the modules that `import a.b as c, d` or `from a.b import c` names.
fn imported(statement: &str) -> impl Iterator<Item = &str> {
    let statement = statement.trim_start();
    let (list, separator) = match (statement.strip_prefix("import "), statement.strip_prefix("from ")) {
        (Some(modules), _) => (modules, ','),
        // One module: what follows it is no separator of modules.
        (None, Some(module)) => (module, '\0'),
        (None, None) => ("", ','),
    };
    list.split(separator).map(|module| root(module.trim_start())).filter(|module| !module.is_empty())
}

fn root(module: &str) -> &str {
    let end = module.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(module.len());
    &module[..end]
}

/// Whether a name stands by itself somewhere.
fn mentions(code: &str, name: &str) -> bool {
    let part_of_a_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        !code[..at].ends_with(part_of_a_name) && !code[at + name.len()..].starts_with(part_of_a_name)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn level(code: &str) -> usize {
        wanted_level(code, &["numpy", "pandas", "matplotlib.pyplot"].map(str::to_owned))
    }

    #[test]
    fn the_last_module_that_is_asked_for_counts() {
        for (code, wanted) in [
            ("", 0),
            ("print(1)", 0),
            ("import os, sys\nfrom json import loads", 0),
            ("import numpy as np", 1),
            ("x = np.arange(3)", 1),
            ("import os; import pandas as pd", 2),
            ("if True:\n    from pandas.api import types", 2),
            ("df = pd.DataFrame()", 2),
            ("from matplotlib import pyplot", 3),
            ("import matplotlib.pyplot as plt, numpy", 3),
            ("import seaborn", 3),
            ("import os,sklearn.linear_model", 1),
            ("important = 1\nimport_pandas = 2\ninput()", 0),
            ("import pandas_like", 0),
        ] {
            assert_eq!(level(code), wanted, "{code}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_level(code in any::<String>(), filler in 0..70_000_usize) {
            prop_assert!(level(&("ä".repeat(filler) + &code)) <= 3);
        }

        #[test]
        fn what_comes_before_changes_nothing(code in "[a-z ]{0,20}\n") {
            let code = code + "import pandas";
            prop_assert!(level(&code) >= 2);
        }
    }
}
