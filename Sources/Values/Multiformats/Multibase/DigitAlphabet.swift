/// The digits of a base, in order of their value.
struct DigitAlphabet: Sendable {
    let digits: [UInt8]
    /// Value of each ASCII character, 0xff for those that are no digit.
    private let values: [UInt8]

    init(_ digits: StaticString) {
        self.digits = Array(digits.description.utf8)
        var values = [UInt8](repeating: 0xff, count: 256)
        for (value, digit) in self.digits.enumerated() { values[Int(digit)] = UInt8(truncatingIfNeeded: value) }
        self.values = values
    }

    /// The value of `character`, `nil` if it is no digit.
    func value(of character: UInt8) -> UInt8? {
        let value = self.values[Int(character)]
        return value == 0xff ? nil : value
    }
}
