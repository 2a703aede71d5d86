/// Text that does not decode in the base it names.
public enum MultibaseError: Error, Hashable, Sendable, CustomStringConvertible {
    case empty
    /// The first character names no base that is supported.
    case unknownPrefix(Character)
    /// The character at `offset`, counted from the start of the digits, is no digit of the base.
    case invalidCharacter(offset: Int)
    /// No byte string encodes to this many digits.
    case invalidLength
    /// The last digit carries bits beyond the last byte.
    case nonZeroPadding
    /// More digits than ``Base58BTC/maximumDigitCount`` in a base whose decoding takes quadratic time.
    case tooLong

    public var description: String {
        switch self {
        case .empty: "the text is empty"
        case .unknownPrefix(let character): "'\(character)' names no known base"
        case .invalidCharacter(let offset): "the character at position \(offset) is not a digit of the base"
        case .invalidLength: "no bytes encode to this many digits"
        case .nonZeroPadding: "the last digit is not the one an encoder writes"
        case .tooLong: "the text is too long"
        }
    }
}
