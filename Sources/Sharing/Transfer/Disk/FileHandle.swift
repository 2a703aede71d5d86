#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// An open descriptor that is closed with its last reference.
final class FileHandle: Sendable {
    let descriptor: CInt

    /// Takes over `descriptor`.
    init(_ descriptor: CInt) { self.descriptor = descriptor }

    deinit { _ = close(self.descriptor) }
}
