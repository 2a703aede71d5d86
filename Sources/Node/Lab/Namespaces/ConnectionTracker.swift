#if os(Linux)
import Glibc

/// The connection tracker of the current namespace, spoken to over netlink (linux/netfilter/nfnetlink_conntrack.h).
public enum ConnectionTracker {
    /// Forgets every connection and with it every translation of a masquerade.
    ///
    /// - Throws: ``LabError`` with `.commandFailed`.
    public static func flush() throws(LabError) {
        func fail(_ operation: String, _ number: Int32) -> LabError { LabError(.commandFailed, "\(operation): \(String(cString: strerror(number)))") }
        let netlinkFamily: Int32 = 16
        let netfilter: Int32 = 12
        let descriptor = socket(netlinkFamily, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), netfilter)
        guard descriptor >= 0 else { throw fail("opening netlink", errno) }
        defer { close(descriptor) }

        // struct nlmsghdr: length, type (subsystem 1 = conntrack, message 2 = delete), flags (request, acknowledge), sequence, port;
        // struct nfgenmsg: family (IPv4, IPv6), version, resource. No attribute selects: all of the family.
        for family in [UInt8(AF_INET), UInt8(AF_INET6)] {
            var message = [UInt8](repeating: 0, count: 20)
            withUnsafeBytes(of: UInt32(20)) { message.replaceSubrange(0..<4, with: $0) }
            withUnsafeBytes(of: UInt16(0x0102)) { message.replaceSubrange(4..<6, with: $0) }
            withUnsafeBytes(of: UInt16(0x0005)) { message.replaceSubrange(6..<8, with: $0) }
            message[16] = family
            guard send(descriptor, message, message.count, 0) == message.count else { throw fail("asking the connection tracker", errno) }
            var answer = [UInt8](repeating: 0, count: 512)
            let count = recv(descriptor, &answer, answer.count, 0)
            guard count >= 20 else { throw fail("hearing from the connection tracker", count < 0 ? errno : EPROTO) }
            // struct nlmsgerr after the header: a negative error number, or 0.
            let code = answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: Int32.self) }
            guard code == 0 else { throw fail("flushing the connection tracker", -code) }
        }
    }
}
#endif
