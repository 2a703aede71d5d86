public import DIGMultiformats

/// How a NAT maps the TCP connections that leave from one port, judged by what the far ends saw (RFC 5382 §4).
public struct TCPMapping: Hashable, Sendable {
    /// Which external ports a NAT gives to one internal port.
    public enum Behavior: Hashable, Sendable {
        /// Nobody has seen a connection from a listening port, or too few have.
        case unknown
        /// The far ends see the very address that is dialed from.
        case untranslated
        /// One external port for all destinations: it can be told to others and punched at.
        case endpointIndependent
        /// Another external port for each destination: nobody can know the next one.
        case endpointDependent
    }

    /// One far end's view.
    public struct Evidence: Hashable, Sendable {
        /// Who says so.
        public var observer: Multiaddr
        /// Where the dial left from.
        public var local: Multiaddr
        /// Where the observer saw it come from.
        public var external: Multiaddr
    }

    /// Entries in ``evidence``.
    public static let maximumEvidence = 16

    public var behavior: Behavior
    /// The newest first.
    public var evidence: [Evidence]
}
