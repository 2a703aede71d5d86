/// A text as a QR code, model 2 (ISO/IEC 18004:2015).
///
/// Alphanumeric mode is used if every character allows it, byte mode (UTF-8) otherwise. The smallest version that holds the
/// text is taken, then the mask with the lowest penalty (§7.8.3).
public struct QRCode: Hashable, Sendable {
    /// 1 … 40.
    public let version: Int
    public let errorCorrection: ErrorCorrection
    /// Modules on one side: 17 + 4 × version.
    public let size: Int
    /// Row by row; `true` is dark.
    private let modules: [Bool]

    /// How much of the symbol may be unreadable.
    public enum ErrorCorrection: Hashable, Sendable {
        /// About 7 %.
        case low
        /// About 15 %.
        case medium
    }

    /// - Parameter errorCorrection: At least this much; `.medium` is used when it needs no larger symbol.
    /// - Throws: ``QRCodeError`` if the text does not fit version 40.
    public init(_ text: String, errorCorrection: ErrorCorrection = .low) throws(QRCodeError) {
        let segment = QRSegment(text)
        guard let version = QRVersion.smallest(holding: segment, errorCorrection: errorCorrection) else {
            throw QRCodeError.tooLong(byteCount: text.utf8.count, limit: QRVersion.maximumByteCount(errorCorrection))
        }
        let boosted: ErrorCorrection = version.holds(segment, errorCorrection: .medium) ? .medium : errorCorrection
        let codewords = version.codewords(for: segment, errorCorrection: boosted)
        let matrix = QRMatrix(version: version, codewords: codewords, errorCorrection: boosted)
        self.version = version.number
        self.errorCorrection = boosted
        self.size = matrix.size
        self.modules = matrix.modules
    }

    /// Whether the module is dark. Everything outside the symbol is light (the quiet zone).
    public subscript(row: Int, column: Int) -> Bool {
        guard row >= 0, row < self.size, column >= 0, column < self.size else { return false }
        return self.modules[row * self.size + column]
    }
}

/// A text that no QR code holds.
public enum QRCodeError: Error, Hashable, Sendable, CustomStringConvertible {
    case tooLong(byteCount: Int, limit: Int)

    public var description: String {
        switch self {
        case .tooLong(let byteCount, let limit): "\(byteCount) bytes do not fit a QR code, which holds at most \(limit)"
        }
    }
}
