#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What the place can do to which progress and messages are printed.
public struct Terminal: Hashable, Sendable {
    /// Whether lines can be rewritten and escapes are understood.
    public var isInteractive: Bool
    /// At least 20.
    public var columns: Int
    /// Whether characters beyond ASCII may be drawn.
    public var drawsUnicode: Bool

    public static let defaultColumns = 80

    public init(isInteractive: Bool, columns: Int = Terminal.defaultColumns, drawsUnicode: Bool = true) {
        self.isInteractive = isInteractive
        self.columns = max(20, columns)
        self.drawsUnicode = drawsUnicode
    }

    /// Looks at file descriptor `descriptor`.
    ///
    /// `COLUMNS` wins over what the terminal driver says (POSIX, "Environment Variables" 8.3); a `TERM` of `dumb` can't rewrite lines.
    public init(descriptor: Int32, environment: [String: String]) {
        let isTerminal = isatty(descriptor) == 1 && environment["TERM"] != "dumb"
        var columns = environment["COLUMNS"].flatMap { Int($0) }
        if columns.map({ $0 <= 0 }) ?? true {
            var size = winsize()
            columns = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : Self.defaultColumns
        }
        // POSIX 8.2: the first that is set and not empty decides.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        let charset = locale.lowercased()
        self.init(
            isInteractive: isTerminal, columns: columns ?? Self.defaultColumns,
            drawsUnicode: charset.contains("utf-8") || charset.contains("utf8"))
    }
}
