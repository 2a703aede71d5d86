import DIGCommandLine
import Testing

@Suite("QR code")
struct QRCodeTests {
    private func rows(_ code: QRCode) -> [String] {
        (0..<code.size).map { row in String((0..<code.size).map { code[row, $0] ? "#" : "." }) }
    }

    @Test("a text too long for version 40 is refused with the limit (ISO/IEC 18004 table 7: 2953 bytes at L)")
    func tooLong() throws {
        #expect(throws: QRCodeError.tooLong(byteCount: 2954, limit: 2953)) { try QRCode(String(repeating: "a", count: 2954)) }
        #expect(try QRCode(String(repeating: "a", count: 2953)).version == 40)
        #expect(try QRCode(String(repeating: "A", count: 4296)).version == 40)
        #expect(throws: QRCodeError.self) { try QRCode(String(repeating: "A", count: 4297)) }
    }

    @Test("takes the smallest version, and more error correction where it costs nothing (table 7)")
    func version() throws {
        #expect(try QRCode("").version == 1)
        #expect(try QRCode(String(repeating: "a", count: 14)).errorCorrection == .medium)
        #expect(try QRCode(String(repeating: "a", count: 17)).version == 1)
        #expect(try QRCode(String(repeating: "a", count: 17)).errorCorrection == .low)
        #expect(try QRCode(String(repeating: "a", count: 18)).version == 2)
        #expect(try QRCode(String(repeating: "A", count: 25)).version == 1)
        #expect(try QRCode(String(repeating: "a", count: 17), errorCorrection: .medium).version == 2)
        #expect(try QRCode(String(repeating: "a", count: 271)).version == 10)
    }

    @Test("everything outside the symbol is light")
    func quietZone() throws {
        let code = try QRCode("x")
        #expect(!code[-1, 0] && !code[0, -1] && !code[code.size, 0] && !code[0, code.size])
        #expect(code[0, 0])
    }

    @Test("draws two modules in a character, as blocks or in colour")
    func terminal() throws {
        let code = try QRCode("x")
        let plain = code.terminalLines(quietZone: 2, usesColor: false)
        #expect(plain.count == 13)
        #expect(plain.allSatisfy { TerminalText.width(of: $0) == code.terminalWidth(quietZone: 2) })
        #expect(plain[0] == String(repeating: "█", count: 25))
        #expect(plain[1].hasPrefix("██ ▄▄▄▄▄ █"))
        let colored = code.terminalLines(quietZone: 2, usesColor: true)
        #expect(colored[1].hasPrefix("\u{1B}[38;5;16;48;5;231m  █▀▀▀▀▀█ "))
        #expect(colored.allSatisfy { $0.hasSuffix("\u{1B}[0m") })
    }
}
