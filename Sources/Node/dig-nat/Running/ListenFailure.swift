import DIGCommandLine
import DIGNatTools
import DIGNet
import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Why a node cannot listen, and what helps.
enum ListenFailure {
    /// Nil: the library says it best.
    static func failure(_ error: NodeError) -> CommandFailure? {
        switch error.cause {
        case let cause as IOError:
            let (reason, next) = Self.words(cause.errnoCode)
            return CommandFailure(.failure, "no address can be listened on: \(reason)", next: next)
        case let cause as ConnectionError where cause.code == .noCommonProtocol:
            return CommandFailure(.failure, "\(cause.message)", next: Self.advice(cause.message))
        default: return nil
        }
    }

    private static func words(_ code: CInt) -> (reason: String, next: String) {
        switch code {
        case EADDRINUSE: ("another program listens on that port", "choose another port with --listen, or end that program")
        case EADDRNOTAVAIL: ("this machine has no such address", "listen on one of its own with --listen, or on all: /ip4/0.0.0.0/tcp/PORT")
        case EACCES, EPERM: ("the system does not let this user take that port", "choose one from 1024 on with --listen")
        default: (String(cString: strerror(code)), "choose another address with --listen")
        }
    }

    private static func advice(_ message: String) -> String {
        if message.contains("/wss") || message.contains("/tls/ws") { return "name a certificate and its key with --tls-certificate and --tls-key" }
        return "listen on /tcp/PORT, /tcp/PORT/ws or, with a certificate, /tcp/PORT/wss"
    }
}
