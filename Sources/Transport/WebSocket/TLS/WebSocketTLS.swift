package import NIOSSL
import Synchronization

/// The TLS contexts of WebSockets. Made once: reading the system's authorities takes tens of milliseconds.
package final class WebSocketTLS: Sendable {
    private let verification: WebSocketConfiguration.CertificateVerification
    private let certificate: WebSocketConfiguration.ServerCertificate?
    private let client = Mutex<NIOSSLContext?>(nil)
    private let server: Mutex<NIOSSLContext?>

    /// For an end that dials.
    package init(verification: WebSocketConfiguration.CertificateVerification) {
        self.verification = verification
        self.certificate = nil
        self.server = Mutex(nil)
    }

    /// For an end that is dialed too, if there is a certificate.
    ///
    /// - Throws: ``WebSocketError`` `.invalidConfiguration` if the server's certificate can't be used.
    init(_ configuration: WebSocketConfiguration) throws {
        self.verification = configuration.certificateVerification
        self.certificate = configuration.serverCertificate
        self.server = Mutex(try configuration.serverCertificate.map(Self.makeServer))
    }

    /// - Throws: ``WebSocketError`` `.invalidConfiguration` if the authorities can't be read.
    package func clientContext() throws -> NIOSSLContext {
        try self.client.withLock { context in
            if let context { return context }
            do {
                var tls = TLSConfiguration.makeClientConfiguration()
                tls.applicationProtocols = ["http/1.1"]
                tls.minimumTLSVersion = .tlsv12
                switch self.verification {
                case .systemRoots: break
                case .authorities(let file): tls.trustRoots = .file(file)
                case .none: tls.certificateVerification = .none
                }
                let made = try NIOSSLContext(configuration: tls)
                context = made
                return made
            } catch {
                throw WebSocketError(.invalidConfiguration, "the trusted authorities can't be used", cause: error)
            }
        }
    }

    /// Nil without a certificate.
    var serverContext: NIOSSLContext? { self.server.withLock { $0 } }

    /// - Throws: ``WebSocketError`` `.invalidConfiguration`; the certificate in use stays.
    func reload() throws {
        guard let certificate = self.certificate else { return }
        let context = try Self.makeServer(certificate)
        self.server.withLock { $0 = context }
    }

    /// - Throws: ``WebSocketError`` `.invalidConfiguration`.
    package static func makeServer(_ certificate: WebSocketConfiguration.ServerCertificate) throws -> NIOSSLContext {
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(certificate.chainFile).map { NIOSSLCertificateSource.certificate($0) }
            let key = try NIOSSLPrivateKey(file: certificate.privateKeyFile, format: .pem)
            var tls = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(key))
            tls.applicationProtocols = ["http/1.1"]
            tls.minimumTLSVersion = .tlsv12
            return try NIOSSLContext(configuration: tls)
        } catch {
            throw WebSocketError(
                .invalidConfiguration, "the certificate \(certificate.chainFile) with the key \(certificate.privateKeyFile) can't be used", cause: error)
        }
    }
}
