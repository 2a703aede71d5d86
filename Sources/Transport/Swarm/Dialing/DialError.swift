public import DIGMultiformats
import DIGNet
import NIOCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Why each address of a peer could not be used.
public struct DialError: Error, Sendable, CustomStringConvertible {
    /// One address, and why it could not be used.
    public struct Attempt: Sendable {
        public var address: Multiaddr
        public var error: any Error
    }

    /// In the order in which the addresses were given up.
    public var attempts: [Attempt]

    public var description: String {
        if self.attempts.isEmpty { return "no address is known" }
        return self.attempts.map { "\($0.address): \(Self.reason($0.error))" }.joined(separator: "; ")
    }

    /// The cause in a person's words.
    static func reason(_ error: any Error) -> String {
        guard let error = error as? IOError else { return "\(error)" }
        return switch error.errnoCode {
        case ECONNREFUSED: "connection refused"
        case ECONNRESET, EPIPE: "connection reset by the peer"
        case EHOSTUNREACH: "no route to the host"
        case ENETUNREACH: "the network is unreachable"
        case ETIMEDOUT: "no answer"
        case EACCES, EPERM: "forbidden by this machine's firewall"
        case EADDRNOTAVAIL: "the address is not available on this machine"
        default: error.description
        }
    }
}
