import DIGMultiformats
import Foundation

extension CryptoIdentity {
    /// How signatures and keys are written.
    public enum OutputEncoding: String, Hashable, Sendable, CaseIterable {
        /// Hexadecimal; `0x` is accepted when reading.
        case hex
        /// RFC 4648 §4, with padding.
        case base64

        func text(of bytes: [UInt8]) -> String {
            switch self {
            case .hex: Base16.encode(bytes)
            case .base64: Data(bytes).base64EncodedString()
            }
        }

        func bytes(of text: String) -> [UInt8]? {
            switch self {
            case .hex: HexadecimalText.bytes(text)
            case .base64: Data(base64Encoded: text).map { Array($0) }
            }
        }
    }
}
