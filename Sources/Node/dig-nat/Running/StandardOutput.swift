#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Writes whole byte sequences to a file descriptor.
enum StandardOutput {
    /// - Returns: `nil`, or the error number if not everything could be written; `EPIPE` once nobody reads any more.
    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32? {
        var rest = bytes
        while let base = rest.baseAddress, rest.count > 0 {
            #if canImport(Glibc)
            let count = Glibc.write(descriptor, base, rest.count)
            #elseif canImport(Musl)
            let count = Musl.write(descriptor, base, rest.count)
            #else
            let count = Darwin.write(descriptor, base, rest.count)
            #endif
            if count < 0 {
                switch errno {
                case EINTR: continue
                case EAGAIN:
                    // Somebody made the descriptor non-blocking: wait until it takes more.
                    var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&poller, 1, -1)
                    continue
                default: return errno
                }
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        return nil
    }

    static func write(_ text: String, to descriptor: Int32) {
        var text = text
        // Messages to somebody who doesn't listen any more are lost, as they would be otherwise.
        _ = text.withUTF8 { self.write(UnsafeRawBufferPointer($0), to: descriptor) }
    }
}
