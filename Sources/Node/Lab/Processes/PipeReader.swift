#if os(Linux)
import Glibc

/// Reads the two pipes of a child on the calling thread.
enum PipeReader {
    /// Hands over what comes in, with 0 for standard output and 1 for standard error, until both have ended; closes them.
    static func read(_ output: Int32, _ error: Int32, _ received: (Int, ArraySlice<UInt8>) -> Void) {
        var descriptors = [pollfd(fd: output, events: Int16(POLLIN), revents: 0), pollfd(fd: error, events: Int16(POLLIN), revents: 0)]
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while descriptors.contains(where: { $0.fd >= 0 }) {
            guard poll(&descriptors, nfds_t(descriptors.count), -1) >= 0 else {
                if errno == EINTR { continue }
                break
            }
            for index in descriptors.indices where descriptors[index].fd >= 0 && descriptors[index].revents != 0 {
                let count = Glibc.read(descriptors[index].fd, &buffer, buffer.count)
                if count > 0 {
                    received(index, buffer[..<count])
                } else if count == 0 || errno != EINTR {
                    close(descriptors[index].fd)
                    descriptors[index].fd = -1
                }
            }
        }
        for descriptor in descriptors where descriptor.fd >= 0 { close(descriptor.fd) }
    }

    /// At most 1 MiB of each is kept.
    static func readAll(_ output: Int32, _ error: Int32) -> (output: [UInt8], error: [UInt8]) {
        var parts: [[UInt8]] = [[], []]
        self.read(output, error) { index, bytes in
            if parts[index].count < 1 << 20 { parts[index] += bytes }
        }
        return (parts[0], parts[1])
    }
}
#endif
