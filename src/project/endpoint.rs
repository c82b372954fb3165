//! An endpoint: the scheme, host and port of a server that speaks S3.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A server in one spelling: two endpoints are equal if they are the same server to an HTTP client.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    is_https: bool,
    /// Lower case; an IPv6 address in brackets.
    host: String,
    /// `None` if it is the scheme's own.
    port: Option<u16>,
}

/// Why a text is no endpoint. It never repeats the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointFault {
    Credentials,
    Scheme,
    Path,
    Query,
    Host,
    Port,
}

impl Endpoint {
    /// `http://` or `https://`, a host, perhaps a port, and nothing else but one `/` at the end.
    pub fn parse(text: &str) -> Result<Endpoint, EndpointFault> {
        // First of all: every other message could repeat a password.
        if text.contains('@') {
            return Err(EndpointFault::Credentials);
        }
        let (scheme, rest) = text.split_once("://").ok_or(EndpointFault::Scheme)?;
        let is_https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(EndpointFault::Scheme),
        };
        if rest.contains(['?', '#']) {
            return Err(EndpointFault::Query);
        }
        let server = rest.strip_suffix('/').unwrap_or(rest);
        if server.contains('/') {
            return Err(EndpointFault::Path);
        }
        let (host, port) = match server.rsplit_once(':') {
            // The last colon of `[::1]` stands within the brackets, and divides no port.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (server, None),
        };
        // `https://x` and `https://x:443` are one server, and one entry of a profile must allow both.
        let default = if is_https { 443 } else { 80 };
        let port = port.map(parse_port).transpose()?.filter(|port| *port != default);
        Ok(Endpoint { is_https, host: parse_host(host)?, port })
    }

    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// Whether what is sent there never leaves the machine.
    pub fn is_loopback(&self) -> bool {
        let is_v6 = self.host == "[::1]";
        is_v6 || self.host == "localhost" || self.host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
    }

    /// The server of a bucket that is named in the host and not in the path.
    pub fn with_bucket(&self, bucket: &str) -> Endpoint {
        Endpoint { host: format!("{bucket}.{}", self.host), ..self.clone() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", if self.is_https { "https" } else { "http" }, self.host)?;
        self.port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

impl fmt::Display for EndpointFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            EndpointFault::Credentials => "contains a user name or a password",
            EndpointFault::Scheme => "begins neither with `http://` nor with `https://`",
            EndpointFault::Path => "has a path",
            EndpointFault::Query => "has a query",
            EndpointFault::Host => "has an invalid host",
            EndpointFault::Port => "has an invalid port",
        })
    }
}

fn parse_port(text: &str) -> Result<u16, EndpointFault> {
    // `parse` would take `+80` as well.
    let is_plain = text.chars().all(|letter| letter.is_ascii_digit());
    text.parse().ok().filter(|port| *port != 0 && is_plain).ok_or(EndpointFault::Port)
}

fn parse_host(text: &str) -> Result<String, EndpointFault> {
    if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        let address: Ipv6Addr = address.parse().map_err(|_| EndpointFault::Host)?;
        return Ok(format!("[{address}]"));
    }
    if text.split('.').all(is_label) { Ok(text.to_ascii_lowercase()) } else { Err(EndpointFault::Host) }
}

/// Whether a part of a host's name between two dots can be one.
fn is_label(label: &str) -> bool {
    !label.is_empty() && label.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        Endpoint::parse(text).map_or_else(|fault| format!("{fault:?}"), |endpoint| endpoint.to_string())
    }

    #[test]
    fn an_endpoint_has_one_spelling() {
        for (text, expected) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("HTTPS://S3.Example.com:443/", "https://s3.example.com"),
            ("http://localhost:80", "http://localhost"),
            ("http://[0:0::1]:9000", "http://[::1]:9000"),
            ("https://[::1]", "https://[::1]"),
            ("https://key:secret@host", "Credentials"),
            ("https://host/a@b", "Credentials"),
            ("s3.example.com", "Scheme"),
            ("ftp://host", "Scheme"),
            ("https://host/path", "Path"),
            ("https://host//", "Path"),
            ("https://host?x", "Query"),
            ("https://host#x", "Query"),
            ("https://", "Host"),
            ("https://a..b", "Host"),
            ("https://a b", "Host"),
            ("https://h\\evil", "Host"),
            ("https://[x]", "Host"),
            ("https://host:", "Port"),
            ("https://host:0", "Port"),
            ("https://host:+1", "Port"),
            ("https://host:99999", "Port"),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (text, expected) in [
            ("http://localhost:9000", true),
            ("http://127.8.9.1", true),
            ("http://[::1]:1", true),
            ("http://128.0.0.1", false),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", false),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().is_loopback(), expected, "{text}");
        }
    }
}
