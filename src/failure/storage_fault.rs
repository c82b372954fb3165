//! What a person can do about a store that could not be read or written, and whether the same command may work later.

use std::io;

use super::Failure;
use crate::diag::{Code, Diagnostic};

/// Where machines of a cloud are told their role.
const INSTANCE_ROLES: &str = "169.254.169.254";

/// Why a store could not be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StorageFault {
    /// It did not answer, or not as it should: that passes.
    NoAnswer,
    /// There is no room left: others may make some.
    Full,
    /// Nobody has said who asks, so the machine's role was asked for.
    NoRole,
    NoBucket,
    OtherRegion,
    WrongClock,
    Forbidden,
    ReadOnly,
    /// A file stands where a folder must be, or the other way round.
    InTheWay,
    NameTooLong,
    TooManyFiles,
}

/// Says what a store ran into.
pub(crate) fn storage(message: String, source: &io::Error) -> Failure {
    let fault = StorageFault::of(&message, source);
    let diagnostic = Diagnostic::error(Code::Storage, message).help(fault.help());
    if fault.may_pass() { Failure::World(diagnostic) } else { Failure::Project(diagnostic) }
}

/// Says what a bucket with files of a source ran into, which karat only reads.
pub(crate) fn source_storage(message: String, source: &io::Error) -> Failure {
    let fault = StorageFault::of(&message, source);
    let help = match fault {
        StorageFault::NoBucket => "correct the bucket in `location`, or create it",
        StorageFault::OtherRegion => "the bucket is in another region: set the target's `region`, or `AWS_REGION`",
        StorageFault::Forbidden => {
            "these credentials must be allowed to list and to read what `location` names (`s3:ListBucket`, `s3:GetObject`)"
        }
        other => other.help(),
    };
    let diagnostic = Diagnostic::error(Code::Storage, message).help(help);
    if fault.may_pass() { Failure::World(diagnostic) } else { Failure::Project(diagnostic) }
}

/// What to do where a file cannot be opened because the process may open no more of them; None for other errors.
pub(crate) fn help_for_open_files(error: &io::Error) -> Option<&'static str> {
    let fault = StorageFault::of(&error.to_string(), error);
    (fault == StorageFault::TooManyFiles).then(|| fault.help())
}

impl StorageFault {
    fn of(message: &str, source: &io::Error) -> StorageFault {
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        match source.kind() {
            _ if says(&["`NoSuchBucket`"]) => StorageFault::NoBucket,
            _ if says(&["`RequestTimeTooSkewed`"]) => StorageFault::WrongClock,
            _ if says(&["`AuthorizationHeaderMalformed`", "`PermanentRedirect`", "redirect without LOCATION"]) => {
                StorageFault::OtherRegion
            }
            _ if says(&[INSTANCE_ROLES]) => StorageFault::NoRole,
            // The system has a number for it and the standard library no word: `EMFILE`.
            _ if source.raw_os_error() == Some(24) || says(&["(os error 24)"]) => StorageFault::TooManyFiles,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StorageFault::Full,
            io::ErrorKind::PermissionDenied => StorageFault::Forbidden,
            io::ErrorKind::ReadOnlyFilesystem => StorageFault::ReadOnly,
            io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => StorageFault::InTheWay,
            io::ErrorKind::InvalidFilename => StorageFault::NameTooLong,
            _ => StorageFault::NoAnswer,
        }
    }

    /// Whether the same command may work later although nobody has done anything.
    fn may_pass(self) -> bool {
        match self {
            StorageFault::NoAnswer | StorageFault::Full | StorageFault::NoRole => true,
            StorageFault::NoBucket
            | StorageFault::OtherRegion
            | StorageFault::WrongClock
            | StorageFault::Forbidden
            | StorageFault::ReadOnly
            | StorageFault::InTheWay
            | StorageFault::NameTooLong
            | StorageFault::TooManyFiles => false,
        }
    }

    fn help(self) -> &'static str {
        match self {
            StorageFault::NoAnswer => "run the same command again when the storage answers",
            StorageFault::Full => {
                "the disk is full: make room and run the same command again; nothing half-built is visible"
            }
            StorageFault::NoRole => {
                "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`: without them, karat asks for the machine's role"
            }
            StorageFault::NoBucket => "create the bucket, or change the target's `lake`",
            StorageFault::OtherRegion => "the bucket is in another region: set the target's `region`",
            StorageFault::WrongClock => {
                "set this machine's clock: the store refuses requests whose time differs from its own"
            }
            StorageFault::Forbidden => "this user, or these credentials, must be allowed to read and write the lake",
            StorageFault::ReadOnly => {
                "the file system is read-only: mount it for writing, or change the target's `lake`"
            }
            StorageFault::InTheWay => "move away what is there, or change the target's `lake`",
            StorageFault::NameTooLong => {
                "the file system takes no name of this length: cut the table by a column with shorter values, or move \
                 the lake to a shorter path"
            }
            StorageFault::TooManyFiles => {
                "the process may not open more files: raise the limit (`ulimit -n 4096`), or build fewer models at \
                 once with `--threads 1`"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: io::ErrorKind, message: &str) -> StorageFault {
        StorageFault::of(message, &io::Error::new(kind, message.to_owned()))
    }

    #[test]
    fn only_what_may_pass_by_itself_is_worth_another_try() {
        let passes = [
            fault(io::ErrorKind::TimedOut, "no answer"),
            fault(io::ErrorKind::Other, "the store says `SlowDown`"),
            fault(io::ErrorKind::StorageFull, "no space left"),
            // All processes of the machine together have opened too many.
            fault(io::ErrorKind::Other, "`a`: Too many open files in system (os error 23)"),
        ];
        assert!(passes.into_iter().all(StorageFault::may_pass), "{passes:?}");
        let stays = [
            (io::ErrorKind::ReadOnlyFilesystem, "Read-only file system (os error 30)", StorageFault::ReadOnly),
            (io::ErrorKind::Other, "`a`: Too many open files (os error 24)", StorageFault::TooManyFiles),
            (io::ErrorKind::NotADirectory, "a file is where a folder must be", StorageFault::InTheWay),
            (io::ErrorKind::IsADirectory, "Is a directory (os error 21)", StorageFault::InTheWay),
            (io::ErrorKind::InvalidFilename, "File name too long (os error 36)", StorageFault::NameTooLong),
            (io::ErrorKind::PermissionDenied, "Permission denied (os error 13)", StorageFault::Forbidden),
            (io::ErrorKind::PermissionDenied, "the store says `RequestTimeTooSkewed`: …", StorageFault::WrongClock),
            (io::ErrorKind::NotFound, "the store says `NoSuchBucket`: …", StorageFault::NoBucket),
            (io::ErrorKind::Other, "the store says `AuthorizationHeaderMalformed`: …", StorageFault::OtherRegion),
        ];
        for (kind, message, expected) in stays {
            assert_eq!(fault(kind, message), expected, "{message}");
            assert!(!expected.may_pass(), "{message}");
        }
    }

    #[test]
    fn the_number_of_the_system_tells_too_many_files() {
        let error = io::Error::from_raw_os_error(24);
        assert_eq!(StorageFault::of("`a`: no more", &error), StorageFault::TooManyFiles);
        assert!(help_for_open_files(&error).unwrap().contains("ulimit -n"));
        assert_eq!(help_for_open_files(&io::Error::from(io::ErrorKind::NotFound)), None);
    }
}
