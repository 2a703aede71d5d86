import NIOCore

/// A socket address from text in a test: `203.0.113.1:3478` or `[2001:db8::1]:3478`.
func address(_ text: String) -> SocketAddress {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]) else { preconditionFailure("\(text) has no port") }
    let host = text[..<colon].trimmingPrefix("[").replacing("]", with: "")
    do { return try SocketAddress(ipAddress: String(host), port: port) } catch { preconditionFailure("\(text): \(error)") }
}
