import DIGCommandLine
import Testing

@Suite("Byte counts")
struct ByteCountTests {
    @Test(
        "shows three digits, and the next unit when rounding reaches it",
        arguments: [
            (0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (1536, "1.50 KiB"), (10_239, "10.0 KiB"), (10_240, "10.0 KiB"),
            (102_348, "99.9 KiB"), (102_349, "100 KiB"), (1_048_063, "1023 KiB"), (1_048_064, "1.00 MiB"), (1_048_576, "1.00 MiB"),
            (268_435_456, "256 MiB"), (1 << 40, "1.00 TiB"), (UInt64.max, "16.0 EiB"),
        ] as [(UInt64, String)])
    func text(byteCount: UInt64, text: String) {
        #expect(ByteCount.text(byteCount) == text)
    }

    @Test("shows rates, whatever the number")
    func rates() {
        #expect(ByteCount.rateText(bytesPerSecond: 0) == "0 B/s")
        #expect(ByteCount.rateText(bytesPerSecond: 112 * 1_048_576) == "112 MiB/s")
        #expect(ByteCount.rateText(bytesPerSecond: -1) == "0 B/s")
        #expect(ByteCount.rateText(bytesPerSecond: .nan) == "0 B/s")
        #expect(ByteCount.rateText(bytesPerSecond: .infinity) == "0 B/s")
        #expect(ByteCount.rateText(bytesPerSecond: 1e300) == "888 PiB/s")
    }

    @Test(
        "reads what people write",
        arguments: [
            ("0", 0), ("1500", 1500), ("1500B", 1500), ("64k", 65_536), ("64 KiB", 65_536), ("64KB", 64_000), ("64 kib/s", 65_536),
            ("1.5MiB", 1_572_864), ("1.5 MB", 1_500_000), ("10m", 10_485_760), ("2G", 2_147_483_648), ("1TB", 1_000_000_000_000),
            ("0.5k", 512), ("16777215T", 16_777_215 << 40),
        ] as [(String, UInt64)])
    func parse(text: String, byteCount: UInt64) {
        #expect(ByteCount.parse(text) == byteCount)
    }

    @Test(
        "refuses the rest",
        arguments: ["", "k", ".5k", "1.", "1.k", "-1", "+1", "1x", "1.2.3", "1e3", "١٢", "16777216T", "18446744073709551616", "1.0000001k", "1/s/s"])
    func refuse(text: String) {
        #expect(ByteCount.parse(text) == nil)
    }
}
