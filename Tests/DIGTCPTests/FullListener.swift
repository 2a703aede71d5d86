import DIGMultiformats

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A listening socket that never accepts and whose queue is full, so that connecting to it hangs.
final class FullListener {
    let address: Multiaddr
    private var descriptors: [Int32]

    init() throws {
        struct SystemError: Error { var code = errno }
        // SOCK_STREAM
        let listener = socket(AF_INET, 1, 0)
        guard listener >= 0 else { throw SystemError() }
        self.descriptors = [listener]
        // sockaddr_in: family, port (0: any), 127.0.0.1
        var raw: [UInt8] = [UInt8(AF_INET), 0, 0, 0, 127, 0, 0, 1] + Array(repeating: 0, count: 8)
        #if canImport(Darwin)
        raw[0] = 16
        raw[1] = UInt8(AF_INET)
        #endif
        var length = socklen_t(raw.count)
        let port: UInt16 = try raw.withUnsafeMutableBytes { bytes in
            guard let address = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                bind(listener, address, length) == 0, listen(listener, 0) == 0, getsockname(listener, address, &length) == 0
            else { throw SystemError() }
            return UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        }
        self.address = Multiaddr(components: [.ip4(.loopback), .tcp(port)])
        // A queue of 0 holds one connection on Linux; the others wait for their SYN to be answered.
        for _ in 0..<4 {
            let descriptor = socket(AF_INET, 1, 0)
            guard descriptor >= 0, fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else { throw SystemError() }
            self.descriptors.append(descriptor)
            raw.withUnsafeBytes { bytes in
                _ = connect(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), length)
            }
        }
    }

    deinit {
        for descriptor in self.descriptors { _ = close(descriptor) }
    }
}
