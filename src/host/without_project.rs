//! A world without a project, for what needs none.

use std::io;

use super::Host;

/// The path and the text of a project that holds nothing.
const PROJECT: (&str, &str) = ("project.yml", "name: none\n");

/// The environment, the time and the user's files of another host, and a project without models.
#[derive(Debug)]
pub struct WithoutProject<H>(pub H);

impl<H: Host> Host for WithoutProject<H> {
    fn read(&self, path: &str) -> io::Result<String> {
        let (project, text) = PROJECT;
        if path == project { Ok(text.to_owned()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn files_below(&self, _folder: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn exists(&self, path: &str) -> bool {
        path == PROJECT.0
    }

    surroundings_of!(0);
}
