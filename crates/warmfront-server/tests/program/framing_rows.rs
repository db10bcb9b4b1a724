//! The rows of [`framing`](super::framing), by the rules and attack classes of the project's
//! reliability notes. `{p}` stands for a path that only this row uses.

/// A request, and what may come of it.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) bytes: &'static [u8],
    pub(crate) allowed: &'static [End],
    /// Fields that the origin must not see, in lower case.
    pub(crate) kept_here: &'static [&'static str],
    /// A word in `bytes`, and what is put in its place.
    pub(crate) filled: Option<Filling>,
}

/// A word, and what makes its replacement.
type Filling = (&'static str, fn() -> Vec<u8>);

/// One way a row may end.
#[derive(Debug)]
pub(crate) enum End {
    /// One of these statuses, then the connection is closed; the origin sees nothing.
    Refused(&'static [u16]),
    /// Closed without an answer; the origin sees nothing.
    Closed,
    /// Refused with this status, and the next request is served.
    Answered(u16),
    /// Served with this body, then the connection is closed.
    Once(&'static str),
    /// Served with this body, and the next request, too.
    Kept(&'static str),
}

const REFUSED: End = End::Refused(&[400]);
/// The head was fine and its body is not: the origin request may be under way by then.
const BROKEN: End = End::Refused(&[400, 502]);

const fn row(name: &'static str, bytes: &'static [u8], allowed: &'static [End]) -> Row {
    Row { name, bytes, allowed, kept_here: &[], filled: None }
}

impl Row {
    const fn kept_here(mut self, fields: &'static [&'static str]) -> Self {
        self.kept_here = fields;
        self
    }

    const fn filled(mut self, word: &'static str, filling: fn() -> Vec<u8>) -> Self {
        self.filled = Some((word, filling));
        self
    }
}

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    // Transfer-Encoding and Content-Length (rules 1-3).
    row("a body by its length", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", &[End::Kept("hello")]),
    row("a chunked body", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[End::Kept("hello")]),
    row("both, length first", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED, End::Once("hello")]),
    row("both, length last", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED, End::Once("hello")]),
    row("both, the shorter length hides a request", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nGET {p}/smuggled HTTP/1.1\r\nX: ", &[REFUSED, End::Once("")]),
    row("transfer coding 'chunked, chunked'", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("transfer coding 'gzip, chunked'", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("transfer coding 'identity'", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("transfer coding 'xchunked'", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("transfer coding 'chunked, identity'", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("transfer coding '/x0bchunked'", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: \x0bchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("transfer coding ',chunked'", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: ,chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("transfer coding 'chunked;q=1'", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked;q=1\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("transfer coding '/'chunked/''", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: \"chunked\"\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("transfer coding 'chunked/x00'", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\x00\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("transfer coding ''", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: \r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("transfer coding 'cow, chunked'", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: cow, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("transfer coding Chunked", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[End::Kept("hello"), REFUSED]),
    row("transfer coding /tchunked", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: \tchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[End::Kept("hello"), REFUSED]),
    row("transfer coding chunked /t", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked \t\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[End::Kept("hello"), REFUSED]),
    row("two coding lines, the last is no coding we know", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("two coding lines, the first is no coding we know", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("two chunked lines", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("a coding on HTTP/1.0", b"POST {p} HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("a space before the colon of the coding", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("a folded coding", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:\r\n chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[REFUSED]),
    row("an underscore twin of the coding", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello", &[REFUSED]),
    row("an underscore twin of the length", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent_Length: 5\r\n\r\n", &[REFUSED]),
    row("an underscore twin of the host", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nHost_: other\r\n\r\n", &[REFUSED, End::Kept("")]),
    row("length +5", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\nhello", &[REFUSED, End::Closed]),
    row("length -5", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\nhello", &[REFUSED]),
    row("length 5,5", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5,5\r\n\r\nhello", &[REFUSED]),
    row("length 5, 5", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5, 5\r\n\r\nhello", &[REFUSED]),
    row("length 0x5", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x5\r\n\r\nhello", &[REFUSED]),
    row("length 5 5", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5 5\r\n\r\nhello", &[REFUSED]),
    row("length ", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: \r\n\r\nhello", &[REFUSED]),
    row("length 1e0", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1e0\r\n\r\nhello", &[REFUSED]),
    row("length 5.0", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5.0\r\n\r\nhello", &[REFUSED]),
    row("length 5;", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5;\r\n\r\nhello", &[REFUSED]),
    row("length 99999999999999999999", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\nhello", &[REFUSED, End::Closed]),
    row("length 18446744073709551621", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551621\r\n\r\nhello", &[REFUSED, End::Closed]),
    row("length 0000000000000000005", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0000000000000000005\r\n\r\nhello", &[REFUSED]),
    row("length /xb5", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: \xb5\r\n\r\nhello", &[REFUSED]),
    row("two equal lengths", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", &[End::Kept("hello"), REFUSED]),
    row("two lengths", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", &[REFUSED]),
    row("an empty length and a length", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: \r\nContent-Length: 5\r\n\r\nhello", &[REFUSED]),
    row("a length of nothing", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", &[End::Kept("")]),
    row("GET with a body", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", &[End::Refused(&[403])]),
    row("GET with a chunked body", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[End::Refused(&[403])]),
    row("GET with a body of nothing", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", &[End::Kept("")]),
    row("a body that is a request", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 33\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", &[End::Kept("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")]),
    // Chunks (row 3 of the attack classes).
    row("bare LF after the size", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", &[BROKEN]),
    row("bare LF after the data", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n", &[BROKEN]),
    row("no line end after the data", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n", &[BROKEN]),
    row("0x before the size", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", &[BROKEN]),
    row("a sign before the size", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n", &[BROKEN]),
    row("a negative size", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n", &[BROKEN]),
    row("no size", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n", &[BROKEN]),
    row("a size that is no number", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\ng\r\nhello\r\n0\r\n\r\n", &[BROKEN]),
    row("a size of 17 digits", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000005\r\nhello\r\n0\r\n\r\n", &[BROKEN, End::Kept("hello")]),
    row("a size beyond 64 bits", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n", &[BROKEN]),
    row("more data than the size says", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n", &[BROKEN]),
    row("less data than the size says", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello\r\n0\r\n\r\n", &[BROKEN]),
    row("LF inside an extension", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n", &[BROKEN]),
    row("CR inside an extension", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;a\rb\r\nhello\r\n0\r\n\r\n", &[BROKEN]),
    row("CR instead of a line end", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\rhello\r\n0\r\n\r\n", &[BROKEN]),
    row("a space before the size", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n", &[BROKEN]),
    row("a space after the size", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n", &[End::Kept("hello"), BROKEN]),
    row("an extension", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n", &[End::Kept("hello"), BROKEN]),
    row("a last chunk of two zeros", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n00\r\n\r\n", &[End::Kept("hello"), BROKEN]),
    row("trailers", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", &[End::Kept("hello"), BROKEN]),
    row("a trailer that would frame", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n", &[End::Kept("hello"), BROKEN]),
    row("a trailer line without a colon", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nnonsense\r\n\r\n", &[BROKEN]),
    // Hidden fields (row 5).
    row("a space before the first name", b"GET {p} HTTP/1.1\r\nHost: localhost\r\n X: 1\r\n\r\n", &[REFUSED]),
    row("a folded value", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nX: 1\r\n 2\r\n\r\n", &[REFUSED]),
    row("a name with a space", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nX y: 1\r\n\r\n", &[REFUSED]),
    row("a name with a bracket", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nX(: 1\r\n\r\n", &[REFUSED]),
    row("no name", b"GET {p} HTTP/1.1\r\nHost: localhost\r\n: 1\r\n\r\n", &[REFUSED]),
    row("no colon", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n", &[REFUSED]),
    row("NUL in a value", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n", &[REFUSED]),
    row("VT in a value", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nX: a\x0bb\r\n\r\n", &[REFUSED]),
    row("BEL in a value", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nX: a\x07b\r\n\r\n", &[REFUSED]),
    row("DEL in a value", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nX: a\x7fb\r\n\r\n", &[REFUSED]),
    row("CR in a value", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n", &[REFUSED]),
    row("NUL in a name", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nX\0: a\r\n\r\n", &[REFUSED]),
    row("ESC in a value", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nX: \x1b[31m\r\n\r\n", &[REFUSED]),
    row("a byte above ASCII in a value", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nX: a\xffb\r\n\r\n", &[End::Kept(""), REFUSED]),
    row("a tab in a value", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nX: a\tb\r\n\r\n", &[End::Kept("")]),
    row("lines that end with LF", b"GET {p} HTTP/1.1\nHost: localhost\n\n", &[End::Kept(""), REFUSED]),
    row("empty lines before the request", b"\r\n\r\nGET {p} HTTP/1.1\r\nHost: localhost\r\n\r\n", &[End::Kept(""), REFUSED]),
    // Host and target (rules 4 and 5).
    row("no Host", b"GET {p} HTTP/1.1\r\n\r\n", &[REFUSED]),
    row("two Hosts", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n", &[REFUSED]),
    row("the same Host twice", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", &[REFUSED]),
    row("Host ", b"GET {p} HTTP/1.1\r\nHost: \r\n\r\n", &[REFUSED]),
    row("Host a,b", b"GET {p} HTTP/1.1\r\nHost: a,b\r\n\r\n", &[REFUSED]),
    row("Host a b", b"GET {p} HTTP/1.1\r\nHost: a b\r\n\r\n", &[REFUSED]),
    row("Host user@localhost", b"GET {p} HTTP/1.1\r\nHost: user@localhost\r\n\r\n", &[REFUSED]),
    row("Host localhost:80a", b"GET {p} HTTP/1.1\r\nHost: localhost:80a\r\n\r\n", &[REFUSED]),
    row("Host localhost/x", b"GET {p} HTTP/1.1\r\nHost: localhost/x\r\n\r\n", &[REFUSED]),
    row("Host local//host", b"GET {p} HTTP/1.1\r\nHost: local\\host\r\n\r\n", &[REFUSED]),
    row("Host localhost#x", b"GET {p} HTTP/1.1\r\nHost: localhost#x\r\n\r\n", &[REFUSED]),
    row("Host localhost?x", b"GET {p} HTTP/1.1\r\nHost: localhost?x\r\n\r\n", &[REFUSED]),
    row("Host loc%61lhost", b"GET {p} HTTP/1.1\r\nHost: loc%61lhost\r\n\r\n", &[REFUSED]),
    row("Host {localhost}", b"GET {p} HTTP/1.1\r\nHost: {localhost}\r\n\r\n", &[REFUSED]),
    row("no Host on HTTP/1.0", b"GET {p} HTTP/1.0\r\n\r\n", &[End::Once("")]),
    row("an absolute target replaces Host", b"GET http://localhost{p} HTTP/1.1\r\nHost: other.example\r\n\r\n", &[End::Kept("")]),
    row("an absolute target with another scheme", b"GET ftp://localhost{p} HTTP/1.1\r\nHost: localhost\r\n\r\n", &[REFUSED]),
    row("an absolute target with userinfo", b"GET http://a:b@localhost{p} HTTP/1.1\r\nHost: localhost\r\n\r\n", &[REFUSED]),
    row("a target without a slash", b"GET x{p} HTTP/1.1\r\nHost: localhost\r\n\r\n", &[REFUSED]),
    row("a target with a space", b"GET {p} x HTTP/1.1\r\nHost: localhost\r\n\r\n", &[REFUSED]),
    row("a target with a control character", b"GET {p}\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n", &[REFUSED]),
    row("a target with a byte above ASCII", b"GET {p}?\xc3\xa4 HTTP/1.1\r\nHost: localhost\r\n\r\n", &[End::Kept(""), REFUSED]),
    row("a target with a fragment", b"GET {p}#x HTTP/1.1\r\nHost: localhost\r\n\r\n", &[End::Kept(""), REFUSED]),
    row("a target that is a star", b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", &[REFUSED]),
    row("two spaces in the request line", b"GET  {p} HTTP/1.1\r\nHost: localhost\r\n\r\n", &[REFUSED]),
    row("CONNECT", b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", &[End::Refused(&[400, 403, 405]), End::Answered(403)]),
    // Methods and versions (rule 8).
    row("method TRACE", b"TRACE {p} HTTP/1.1\r\nHost: localhost\r\n\r\n", &[End::Refused(&[403]), End::Answered(403)]),
    row("method BREW", b"BREW {p} HTTP/1.1\r\nHost: localhost\r\n\r\n", &[End::Refused(&[403]), End::Answered(403)]),
    row("method get", b"get {p} HTTP/1.1\r\nHost: localhost\r\n\r\n", &[End::Refused(&[403]), End::Answered(403)]),
    row("method PROPFIND", b"PROPFIND {p} HTTP/1.1\r\nHost: localhost\r\n\r\n", &[End::Refused(&[403]), End::Answered(403)]),
    row("no method", b" {p} HTTP/1.1\r\nHost: localhost\r\n\r\n", &[REFUSED]),
    row("a method with a control character", b"GE\x01T {p} HTTP/1.1\r\nHost: localhost\r\n\r\n", &[REFUSED]),
    row("version HTTP/2.0", b"GET {p} HTTP/2.0\r\nHost: localhost\r\n\r\n", &[End::Refused(&[400, 505])]),
    row("version HTTP/1.2", b"GET {p} HTTP/1.2\r\nHost: localhost\r\n\r\n", &[End::Refused(&[400, 505])]),
    row("version http/1.1", b"GET {p} http/1.1\r\nHost: localhost\r\n\r\n", &[End::Refused(&[400, 505])]),
    row("version HTTP/1.10", b"GET {p} HTTP/1.10\r\nHost: localhost\r\n\r\n", &[End::Refused(&[400, 505])]),
    row("version HTTP/ 1.1", b"GET {p} HTTP/ 1.1\r\nHost: localhost\r\n\r\n", &[End::Refused(&[400, 505])]),
    row("version HTTP/0.9", b"GET {p} HTTP/0.9\r\nHost: localhost\r\n\r\n", &[End::Refused(&[400, 505])]),
    row("version ICAP/1.0", b"GET {p} ICAP/1.0\r\nHost: localhost\r\n\r\n", &[End::Refused(&[400, 505])]),
    row("no version", b"GET {p}\r\n\r\n", &[End::Refused(&[400, 505])]),
    // Expect (row 4).
    row("an expectation we know", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", &[End::Kept("hello")]),
    row("an expectation we do not know", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nExpect: 200-ok\r\nContent-Length: 5\r\n\r\nhello", &[End::Refused(&[400, 417])]),
    // Fields that stay between two neighbours (rule 9).
    row("a field named in Connection", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nConnection: X-Secret\r\nX-Secret: 1\r\n\r\n", &[End::Kept("")]).kept_here(&["x-secret"]),
    row("the length named in Connection", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\nhello", &[End::Kept("hello"), REFUSED]),
    row("the coding named in Connection", b"POST {p} HTTP/1.1\r\nHost: localhost\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &[End::Kept("hello"), REFUSED]),
    row("the host named in Connection", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nConnection: Host\r\n\r\n", &[End::Kept(""), REFUSED]),
    row("Proxy", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nProxy: http://attacker.example\r\n\r\n", &[End::Kept("")]).kept_here(&["proxy:"]),
    row("an upgrade nobody serves", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", &[End::Kept("")]).kept_here(&["upgrade", "http2-settings"]),
    row("TE, Keep-Alive, Proxy-Connection", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nKeep-Alive: 5\r\nProxy-Connection: keep-alive\r\n\r\n", &[End::Kept("")]).kept_here(&["te:", "keep-alive:", "proxy-connection"]),
    // Sizes (row 20).
    row("a URL within the limit", b"GET {p}?FILL HTTP/1.1\r\nHost: localhost\r\n\r\n", &[End::Kept("")]).filled("FILL", || vec![b'x'; 8_100]),
    row("a URL over 8,192 bytes", b"GET {p}?FILL HTTP/1.1\r\nHost: localhost\r\n\r\n", &[End::Refused(&[414])]).filled("FILL", || vec![b'x'; 8_192]),
    row("a URL over 64 KiB", b"GET {p}?FILL HTTP/1.1\r\nHost: localhost\r\n\r\n", &[End::Refused(&[414, 431])]).filled("FILL", || vec![b'x'; 70_000]),
    row("a head within the limit", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nX: FILL\r\n\r\n", &[End::Kept("")]).filled("FILL", || vec![b'x'; 30_000]),
    row("a head over 32 KiB", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nX: FILL\r\n\r\n", &[End::Refused(&[494])]).filled("FILL", || vec![b'x'; 33_000]),
    row("a head over 64 KiB", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nX: FILL\r\n\r\n", &[End::Refused(&[431, 494])]).filled("FILL", || vec![b'x'; 70_000]),
    row("120 fields", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nFILL\r\n", &[End::Kept("")]).filled("FILL", || b"X: 1\r\n".repeat(118)),
    row("150 fields", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nFILL\r\n", &[End::Refused(&[400, 431, 494])]).filled("FILL", || b"X: 1\r\n".repeat(150)),
    row("10,000 fields", b"GET {p} HTTP/1.1\r\nHost: localhost\r\nFILL\r\n", &[End::Refused(&[400, 431, 494])]).filled("FILL", || b"X: 1\r\n".repeat(10_000)),
];
