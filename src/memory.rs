//! How much memory this machine has.

use crate::figures::parse_bytes;

/// Bytes of memory that this process may use; nothing where the system does not say.
pub(crate) fn memory() -> Option<usize> {
    let total = meminfo("/proc/meminfo");
    // A container has less than its machine: version 2 of control groups, then version 1.
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limit = limits.iter().filter_map(|path| read(path)?.trim().parse::<usize>().ok()).min();
    total.into_iter().chain(limit).min()
}

fn meminfo(path: &str) -> Option<usize> {
    let text = read(path)?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kibibytes: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The memory of a command: `800MB`, `1.5 GiB`, `60%` of the machine.
pub(crate) fn parse_memory(text: &str) -> Result<usize, String> {
    const LEAST: usize = 16 << 20;
    match parse_bytes(text, memory())? {
        ..LEAST => Err("less than 16 MiB is too little for any model".to_owned()),
        bytes => Ok(bytes),
    }
}

/// A size that is no part of the machine's memory.
pub(crate) fn parse_size(text: &str) -> Result<usize, String> {
    parse_bytes(text, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_works_with_too_little_memory() {
        assert_eq!(parse_memory("800 MB"), Ok(800_000_000));
        assert!(parse_memory("10").is_err());
        assert_eq!(parse_size("10"), Ok(10));
    }
}
