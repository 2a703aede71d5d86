/// How WebSockets are made.
public struct WebSocketConfiguration: Sendable {
    /// Whom to believe when a server inside TLS shows its certificate.
    ///
    /// Whoever answers proves its peer id by the Noise handshake inside, so where every dial names its peer a forged certificate gains nothing
    /// but a look at the outer WebSocket frames. It does where a dial takes whoever answers.
    public enum CertificateVerification: Hashable, Sendable {
        /// The authorities that the system trusts.
        case systemRoots
        /// The authorities in a PEM file, and no others.
        case authorities(file: String)
        /// Any certificate. For networks whose every dial names its peer.
        case none
    }

    /// What a server shows.
    public struct ServerCertificate: Hashable, Sendable {
        /// PEM, the server's own certificate first.
        public var chainFile: String
        /// PEM.
        public var privateKeyFile: String

        public init(chainFile: String, privateKeyFile: String) {
            self.chainFile = chainFile
            self.privateKeyFile = privateKeyFile
        }
    }

    public var certificateVerification = CertificateVerification.systemRoots
    /// Needed to listen on `/tls/ws` and `/wss`. Behind a proxy that ends TLS, listen on `/ws`.
    public var serverCertificate: ServerCertificate?

    /// From the TCP connection to the first byte for the protocols inside: TLS and HTTP together.
    public var handshakeTimeout: Duration = .seconds(10)
    /// Bytes of all HTTP headers of one handshake; more end it.
    public var maximumHeaderByteCount = 16 * 1024
    /// Bytes of one frame received, which is kept whole before it is handed on. A longer one ends the connection.
    public var maximumFrameByteCount = 1024 * 1024
    /// Bytes of one frame sent; longer writes are cut.
    public var sentFrameByteCount = 64 * 1024
    /// How often a ping is sent, because proxies end connections on which nothing moves (nginx after 60 s). Nil: never.
    public var pingInterval: Duration? = .seconds(25)
    /// How long the other end may take to answer our close frame.
    public var closeTimeout: Duration = .seconds(1)

    public init() {}
}
