import DIGCommandLine
import DIGContent
import Testing

/// Symbols that ZXing-C++ 3.1 and, for the smaller ones, OpenCV read back; all forty versions were, at both levels and in both modes.
@Suite("QR code, as readers have read it")
struct QRCodeReferenceTests {
    struct Pin: Sendable {
        enum Kind { case low, medium, alphanumeric }
        var kind: Kind
        /// The first length that needs this version.
        var length: Int
        var version: Int
        /// SHA-256 of the modules, row by row, as `0` and `1`.
        var digest: String

        init(_ kind: Kind, _ length: Int, version: Int, _ digest: String) {
            self.kind = kind
            self.length = length
            self.version = version
            self.digest = digest
        }

        var text: String {
            let set = self.kind == .alphanumeric ? Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:") : Array("abcdefghijklmnopqrstuvwxyz")
            return String((0..<self.length).map { set[($0 * 7 + self.length) % set.count] })
        }
    }

    @Test(
        "draws the same modules",
        arguments: [
            Pin(.low, 1, version: 1, "d37cbfd1d026c247979e005cb4fe47d9fce5722674c0ed32c69e1fc1609818f1"),
            Pin(.low, 18, version: 2, "5948df3f736bd0510192ec01a644db60b796a0e8c41f8ef0a8f2566bfd0437f5"),
            Pin(.low, 107, version: 6, "e32a2d02b2c938a1cf7232fad2229fde56ee433ff2ff81e3016a86a926a99c1d"),
            Pin(.low, 135, version: 7, "e27b033c0e722820d52a44eb4d76f213a8d2911f7acd2e2f0124c17f88fd4b2b"),
            Pin(.low, 426, version: 14, "bd44b86e88b732480abac26800da75dbad2431aa0f80f928f4ee20c4720e7983"),
            Pin(.low, 1841, version: 32, "12a47042f38c669a998776f42d66af5187062d9a013efb3850b068113aac2289"),
            Pin(.low, 2810, version: 40, "46c8a22b319feff7ee14fe2a199e7dbee35fc47c4098ca90a2917101247354ce"),
            Pin(.medium, 1, version: 1, "d37cbfd1d026c247979e005cb4fe47d9fce5722674c0ed32c69e1fc1609818f1"),
            Pin(.medium, 15, version: 2, "d142dfc41868d9ac85008e4cfcc144e73993794f06705adafca8cda2fca7e91c"),
            Pin(.medium, 85, version: 6, "fd7cea67058e191503359df582b1a0f7e4bb649e535fe2598d55c74bace1e4c2"),
            Pin(.medium, 107, version: 7, "0b5d514563a1173251bed63526f1a55ef3a7efc0e535a38578c614fa4dbc3b02"),
            Pin(.medium, 332, version: 14, "6b203571d032a9e4daacb29eee4c38297187846b3b677352b4b537c7e0cc37df"),
            Pin(.medium, 1453, version: 32, "d46754b512038de52304670a56f57809e99e74f2479b16f742c166e52a470221"),
            Pin(.medium, 2214, version: 40, "dbe2327333b764c6dafc35500c1763ed1b7bffd79ec8cd7ffa944e0d9981b5e4"),
            Pin(.alphanumeric, 1, version: 1, "8c5e28afb67325aa62f16e179424c9015b0abb620931c1d087ca8252811ac4ca"),
            Pin(.alphanumeric, 26, version: 2, "ae8ca6c28854af0db16ef3a61044273856165382e6b996d4b6410fb38c905618"),
            Pin(.alphanumeric, 155, version: 6, "8a56f8a4d5bd80244c7667d3c0a86dd36d6d4a25656d02ed20ace0d18186edba"),
            Pin(.alphanumeric, 196, version: 7, "9f566cffb586b856fccebee32832434d46b1e5c4d0b4eee221f63010f60db3dc"),
            Pin(.alphanumeric, 620, version: 14, "e2b85514a69ac0b480fe34b907d45d48d84754c15d646801e4e99cd09e9a3e97"),
            Pin(.alphanumeric, 2678, version: 32, "916d9f14d3e79003828def658f88a71ed1b4664f0a3e59f97a808b8a403eb921"),
            Pin(.alphanumeric, 4088, version: 40, "bc74fc4b3364483a8b2bddaf8c78917a3f5cc9d2ce5b13a1fe9902cfc5026130"),
        ])
    func modules(pin: Pin) throws {
        let code = try QRCode(pin.text, errorCorrection: pin.kind == .medium ? .medium : .low)
        let bits = (0..<code.size * code.size).map { code[$0 / code.size, $0 % code.size] ? UInt8(ascii: "1") : UInt8(ascii: "0") }
        #expect(code.version == pin.version)
        #expect(SHA256Digest(hashing: bits).hex == pin.digest)
    }
}
