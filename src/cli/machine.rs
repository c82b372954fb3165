//! How much of this machine there is.

use std::num::NonZero;

/// Threads that can run at once.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

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
    match parse_size(text)? {
        ..MIN_MEMORY => Err("less than 16 MiB is too little for any model".to_owned()),
        bytes => Ok(bytes),
    }
}

/// Less memory than this is never enough.
const MIN_MEMORY: usize = 16 << 20;

/// A number of bytes as people write it, at least one.
pub(crate) fn parse_size(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let split = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| format!("`{text}` does not begin with a number"))?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" | "k" => 1e3,
        "mb" | "m" => 1e6,
        "gb" | "g" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        "%" => memory().ok_or("this machine does not say how much memory it has")? as f64 / 100.0,
        other => return Err(format!("`{other}` is not a unit: use MB, GB, MiB, GiB or %")),
    };
    let bytes = number * factor;
    if bytes < 1.0 {
        return Err("it must be at least one byte".to_owned());
    }
    Ok(bytes as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_has_a_number_and_a_unit() {
        assert_eq!(parse_memory("1.5GiB"), Ok(1_610_612_736));
        assert_eq!(parse_memory("800 MB"), Ok(800_000_000));
        assert!(parse_memory("10").is_err());
        assert!(parse_memory("many").is_err());
        assert!(parse_memory("5 parsecs").is_err());
        assert_eq!(parse_size("10"), Ok(10));
        assert!(parse_size("0 MB").is_err());
    }
}
