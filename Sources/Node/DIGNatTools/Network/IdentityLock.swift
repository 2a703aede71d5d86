#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Held by the one process that uses the node's key on the network.
///
/// Two processes with one peer id could not talk to each other, and peers would mistake one for the other: `get` beside `share` with the
/// same data directory takes a temporary key instead.
final class IdentityLock: Sendable {
    private let descriptor: Int32

    /// - Returns: Nil if another process holds it, or the file cannot be made.
    init?(directory: String) {
        let descriptor = open(directory + "/identity.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return nil }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            return nil
        }
        self.descriptor = descriptor
    }

    deinit {
        close(self.descriptor)
    }
}
