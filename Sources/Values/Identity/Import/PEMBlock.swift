import Foundation

/// One block of a text in which keys are stored (RFC 7468; RFC 1421 §4.4 for the headers of older software).
///
/// Read loosely as RFC 7468 §3 allows: any line length, white space at the ends of lines, text around the blocks.
struct PEMBlock: Hashable, Sendable {
    /// Ours: far more than the longest key.
    static let maximumByteCount = 65_536
    /// Ours: parameters, a key, and some to spare.
    static let maximumCount = 8

    var label: String
    /// `Name: value` lines before the content.
    var headers: [String]
    var bytes: [UInt8]

    /// - Throws: ``IdentityError`` with `code` if there is no block, or one of them does not end or is not base 64.
    static func all(in text: String, code: IdentityError.Code) throws(IdentityError) -> [PEMBlock] {
        guard text.utf8.count <= Self.maximumByteCount else { throw IdentityError(code, "the text is too long for a key") }
        var blocks: [PEMBlock] = []
        var open: (label: String, headers: [String], digits: String)?
        for line in text.split(whereSeparator: \.isNewline) {
            let line = line.trimmingCharacters(in: .whitespaces)
            if let label = Self.label(of: line, "BEGIN") {
                guard open == nil, blocks.count < Self.maximumCount else { throw IdentityError(code, "the key's text is out of order") }
                open = (label, [], "")
            } else if let label = Self.label(of: line, "END") {
                guard let block = open, block.label == label, let data = Data(base64Encoded: block.digits) else {
                    throw IdentityError(code, "the key's text is damaged")
                }
                blocks.append(PEMBlock(label: label, headers: block.headers, bytes: Array(data)))
                open = nil
            } else if open != nil {
                if line.contains(":") { open?.headers.append(line) } else { open?.digits += line }
            }
        }
        guard open == nil, !blocks.isEmpty else { throw IdentityError(code, "the key's text has no beginning or no end") }
        return blocks
    }

    private static func label(of line: String, _ word: String) -> String? {
        let prefix = "-----\(word) "
        guard line.hasPrefix(prefix), line.hasSuffix("-----"), line.utf8.count > prefix.utf8.count + 5 else { return nil }
        return String(line.dropFirst(prefix.count).dropLast(5))
    }
}
