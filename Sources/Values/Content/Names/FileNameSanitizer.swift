/// Makes a file name out of whatever a stranger proposes.
public enum FileNameSanitizer {
    /// Room is left below the 255 bytes of a name for endings such as `.part`.
    public static let maximumByteCount = 240

    /// Returns a name that is one safe component; see ``SafePath``.
    ///
    /// Takes what follows the last `/` or `\`; replaces control characters, bidirectional overrides and other invisible characters, and what
    /// common file systems forbid (`< > : " | ? *`), by `_`; a leading dot or hyphen too, so that nothing is hidden or taken for an option;
    /// drops dots and spaces at the ends; shortens to ``maximumByteCount`` bytes, keeping a short extension.
    ///
    /// - Parameter fallback: The name if nothing is left. Trusted.
    public static func sanitized(_ name: String, fallback: String = "download") -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in name.unicodeScalars.suffix(4 * SafePath.maximumByteCount) {
            switch scalar {
            case "/", "\\": scalars.removeAll()
            case "<", ">", ":", "\"", "|", "?", "*": scalars.append("_")
            default: scalars.append(DisplayText.isUnsafe(scalar) ? "_" : scalar)
            }
        }
        while let last = scalars.last, last == "." || last.properties.isWhitespace { scalars.removeLast() }
        scalars = String.UnicodeScalarView(scalars.drop { $0.properties.isWhitespace })
        if let first = scalars.first, first == "." || first == "-" {
            scalars.removeFirst()
            scalars.insert("_", at: scalars.startIndex)
        }
        let shortened = self.shortened(String(scalars))
        guard let path = try? SafePath(fileName: shortened), shortened.contains(where: { $0 != "_" }) else { return fallback }
        return path.string
    }

    private static func shortened(_ name: String) -> String {
        guard name.utf8.count > Self.maximumByteCount else { return name }
        var ending = ""
        if let dot = name.lastIndex(of: "."), dot > name.startIndex, name[dot...].utf8.count <= 16 { ending = String(name[dot...]) }
        var stem = name.dropLast(ending.count).unicodeScalars
        var count = stem.reduce(0) { $0 + UTF8.width($1) }
        while count + ending.utf8.count > Self.maximumByteCount, let last = stem.popLast() { count -= UTF8.width(last) }
        return String(stem) + ending
    }
}
