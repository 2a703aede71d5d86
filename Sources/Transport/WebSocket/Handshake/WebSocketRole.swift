/// Which end of the opening handshake.
package enum WebSocketRole: Hashable, Sendable {
    /// Asks. `host` as in an HTTP header, `path` with its query.
    case client(host: String, path: String)
    /// Answers. Other paths than `path` are not found; nil: any will do.
    case server(path: String?)

    var isClient: Bool {
        if case .client = self { true } else { false }
    }
}
