//! Texts that are not saved yet, laid over the files of another host: an editor's.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::Host;

/// A host whose files are another's, but for some.
#[derive(Clone)]
pub struct Overlay {
    under: Arc<dyn Host>,
    texts: BTreeMap<String, String>,
}

impl Overlay {
    /// `texts` has the text of a file by its path, which is relative to the project's folder and uses `/`.
    pub fn new(under: Arc<dyn Host>, texts: BTreeMap<String, String>) -> Overlay {
        Overlay { under, texts }
    }
}

impl Host for Overlay {
    fn read(&self, path: &str) -> io::Result<String> {
        self.texts.get(path).map_or_else(|| self.under.read(path), |text| Ok(text.clone()))
    }

    fn read_bytes(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        match self.texts.get(path) {
            None => self.under.read_bytes(path, limit),
            Some(text) => {
                let length = text.len().min(usize::try_from(limit).unwrap_or(usize::MAX));
                Ok(text.as_bytes().get(..length).unwrap_or_default().to_vec())
            }
        }
    }

    fn files_below(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut found: BTreeSet<String> = self.under.files_below(folder)?.into_iter().collect();
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        found.extend(self.texts.keys().filter(|path| path.starts_with(&prefix)).cloned());
        Ok(found.into_iter().collect())
    }

    fn folders_in(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut found: BTreeSet<String> = self.under.folders_in(folder)?.into_iter().collect();
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        let of_texts = self.texts.keys().filter_map(|path| path.strip_prefix(&prefix)?.split_once('/'));
        found.extend(of_texts.map(|(name, _)| format!("{prefix}{name}")));
        Ok(found.into_iter().collect())
    }

    fn exists(&self, path: &str) -> bool {
        self.texts.contains_key(path) || self.under.exists(path)
    }

    surroundings_of!(under);

    fn program(&self) -> Option<String> {
        self.under.program()
    }

    fn git_revision(&self) -> Option<String> {
        self.under.git_revision()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn a_text_that_is_not_saved_stands_for_the_file() {
        let under = MemoryHost::with_files([("models/a.sql", "a"), ("models/b.sql", "b")]);
        let texts = [("models/b.sql", "new b"), ("models/c.sql", "c"), ("macros/m.sql", "m")];
        let texts = texts.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
        let host = Overlay::new(Arc::new(under), texts);
        assert_eq!(host.files_below("models").unwrap(), ["models/a.sql", "models/b.sql", "models/c.sql"]);
        assert_eq!(["a", "b", "c"].map(|name| host.read(&format!("models/{name}.sql")).unwrap()), ["a", "new b", "c"]);
        assert!(host.exists("macros/m.sql") && host.exists("models/a.sql") && !host.exists("models/d.sql"));
    }

    #[test]
    fn the_folders_in_a_folder_are_those_of_both() {
        let under =
            MemoryHost::with_files([("packages/a/x.yml", ""), ("packages/a/b/y.yml", ""), ("packages/z.yml", "")]);
        let texts = [("packages/c/x.yml".to_owned(), String::new())].into();
        let host = Overlay::new(Arc::new(under), texts);
        assert_eq!(host.folders_in("packages/").unwrap(), ["packages/a", "packages/c"]);
        assert!(host.folders_in("nowhere").unwrap().is_empty());
    }
}
