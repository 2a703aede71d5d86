#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// How many files and sockets this process may have open.
enum OpenFiles {
    /// Kept for what is no peer's connection: files that are shared or written, the database, listeners, dials.
    static let reserve = 256
    /// More than any node needs. macOS takes no value above `OPEN_MAX` where the hard limit says "infinity".
    private static let most: rlim_t = 10_240

    /// Raises the soft limit as far as the hard one lets it, which is what the soft one is for: it protects programs that use `select`.
    static func raiseLimit() {
        guard var limit = self.current, limit.rlim_cur < self.most else { return }
        limit.rlim_cur = min(limit.rlim_max, self.most)
        // Without it there are fewer connections, see `limit`.
        _ = setrlimit(self.resource, &limit)
    }

    /// The soft limit; nil if it is not known.
    static var limit: Int? { self.current.map { Int(clamping: $0.rlim_cur) } }

    private static var current: rlimit? {
        var limit = rlimit()
        return getrlimit(self.resource, &limit) == 0 ? limit : nil
    }

    #if canImport(Glibc)
    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
    private static let resource = RLIMIT_NOFILE
    #endif
}
