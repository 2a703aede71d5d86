extension RandomNumberGenerator {
    /// A copy of `bytes` with a few changes of the kinds that find faults: bits and bytes changed, cut out, doubled, put in, and numbers at their ends.
    package mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &self) {
            let position = Int.random(in: 0...bytes.count, using: &self)
            let end = min(bytes.count, position + Int.random(in: 0...8, using: &self))
            switch Int.random(in: 0..<7, using: &self) {
            case 0 where position < bytes.count: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &self)
            case 1 where position < bytes.count: bytes[position] = UInt8.random(in: .min ... .max, using: &self)
            case 2: bytes.removeSubrange(position..<end)
            case 3: bytes.insert(contentsOf: Array(bytes[position..<end]), at: position)
            case 4: bytes.insert(contentsOf: (0..<Int.random(in: 1...4, using: &self)).map { _ in UInt8.random(in: .min ... .max, using: &self) }, at: position)
            case 5: for index in position..<end { bytes[index] = Bool.random(using: &self) ? 0xff : 0x00 }
            default: bytes.removeSubrange(position...)
            }
        }
        return bytes
    }
}
